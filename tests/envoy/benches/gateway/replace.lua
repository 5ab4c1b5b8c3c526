-- Find and replace in streamed bodies, also where a match lies in two chunks.
-- Over HTTP/1.1, where an empty chunk ends a body: elsewhere a script is not told the last one.
local FIND, REPLACE = "http://", "https://"

-- How many bytes at the end of a text may be the beginning of a match.
local function held(text)
  for length = math.min(#FIND - 1, #text), 1, -1 do
    if text:sub(-length) == FIND:sub(1, length) then
      return length
    end
  end
  return 0
end

local function replace(handle)
  handle:headers():remove("content-length")
  local rest = ""
  for chunk in handle:bodyChunks() do
    local length = chunk:length()
    if length == 0 then
      if rest ~= "" then
        chunk:setBytes(rest)
      end
    else
      local before = rest
      local text = before .. chunk:getBytes(0, length)
      local replaced, count = text:gsub(FIND, REPLACE)
      local kept = held(replaced)
      rest = kept > 0 and replaced:sub(-kept) or ""
      if count > 0 or kept > 0 or before ~= "" then
        chunk:setBytes(kept > 0 and replaced:sub(1, -kept - 1) or replaced)
      end
    end
  end
end

function envoy_on_request(handle)
  replace(handle)
end

function envoy_on_response(handle)
  replace(handle)
end
