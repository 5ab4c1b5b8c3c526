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

-- Searching for plain text is several times faster than `gsub`, which matches patterns.
local function replaced(text)
  local at = text:find(FIND, 1, true)
  if not at then
    return text
  end
  local parts, from = {}, 1
  while at do
    parts[#parts + 1] = text:sub(from, at - 1)
    parts[#parts + 1] = REPLACE
    from = at + #FIND
    at = text:find(FIND, from, true)
  end
  parts[#parts + 1] = text:sub(from)
  return table.concat(parts)
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
      local came = chunk:getBytes(0, length)
      local text = replaced(rest .. came)
      local kept = held(text)
      rest = text:sub(#text - kept + 1)
      text = text:sub(1, #text - kept)
      if text ~= came then
        chunk:setBytes(text)
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
