//! Headers written as HTTP/1, read as the pseudo headers and headers that a plugin sees.

use crate::host::HeaderMap;
use crate::traffic::url::{Target, Url};

/// Reads a request's head: `:method`, `:path`, and from an absolute target `:scheme` and
/// `:authority`; else the authority is the `host` header's, and there is no scheme.
pub(super) fn request(text: &[u8]) -> Result<HeaderMap, String> {
    let (first, mut headers) = head(text)?;
    let mut words = first.split([' ', '\t']).filter(|word| !word.is_empty());
    let method = words.next().ok_or("there is no request line")?;
    let target = words.next().ok_or_else(|| format!("no target in the request line {first:?}"))?;
    let mut map = HeaderMap::folded();
    map.add(b":method", method.as_bytes());
    if let Some(Url::Http(Target { scheme, authority, path })) = Url::parse(target) {
        let default = if scheme == "https" { ":443" } else { ":80" };
        let authority = authority.strip_suffix(default).unwrap_or(&authority);
        map.add(b":scheme", scheme.as_bytes());
        map.add(b":path", path.as_bytes());
        map.add(b":authority", authority.as_bytes());
        headers.retain(|(name, _)| name != "host");
    } else if target.starts_with('/') || target == "*" {
        map.add(b":path", target.as_bytes());
        if let Some((_, host)) =
            headers.iter().find(|(name, host)| name == "host" && !host.is_empty())
        {
            map.add(b":authority", host);
            headers.retain(|(name, _)| name != "host");
        }
    } else {
        return Err(format!("the target {target:?} is neither a path nor an http URL"));
    }
    add(&mut map, headers);
    Ok(map)
}

/// Reads a response's head: `:status` and headers.
pub(super) fn response(text: &[u8]) -> Result<HeaderMap, String> {
    let (first, headers) = head(text)?;
    let mut words = first.split([' ', '\t']).filter(|word| !word.is_empty());
    let version = words.next().ok_or("there is no status line")?;
    let status = words.next().unwrap_or_default();
    if !version.starts_with("HTTP/") || status.len() != 3 || status.parse::<u16>().is_err() {
        return Err(format!("{first:?} is not a status line such as \"HTTP/1.1 200 OK\""));
    }
    let mut map = HeaderMap::folded();
    map.add(b":status", status.as_bytes());
    add(&mut map, headers);
    Ok(map)
}

fn add(map: &mut HeaderMap, headers: Fields) {
    for (name, value) in headers {
        map.add(name.as_bytes(), &value);
    }
}

/// Headers as they were written, with names in lower case.
type Fields = Vec<(String, Vec<u8>)>;

/// The first line and the headers, up to an empty line or the end.
fn head(text: &[u8]) -> Result<(String, Fields), String> {
    let mut lines = text
        .split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .skip_while(|line| line.is_empty());
    let first = lines.next().unwrap_or_default();
    let first = str::from_utf8(first).map_err(|_| "the first line is not UTF-8".to_owned())?;
    let mut headers = Fields::new();
    for line in lines.take_while(|line| !line.is_empty()) {
        if line.starts_with(b" ") || line.starts_with(b"\t") {
            // An old form: the value goes on.
            if let Some((_, value)) = headers.last_mut() {
                value.push(b' ');
                value.extend_from_slice(line.trim_ascii());
            }
            continue;
        }
        // A line without a colon is skipped with a warning by the parser that is followed here.
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let name = String::from_utf8_lossy(line[..colon].trim_ascii()).to_ascii_lowercase();
        headers.push((name, line[colon + 1..].trim_ascii().to_vec()));
    }
    Ok((first.to_owned(), headers))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(map: Result<HeaderMap, String>) -> String {
        let map = match map {
            Ok(map) => map,
            Err(what) => return what,
        };
        let lines = map
            .iter()
            .map(|(name, value)| format!("{}: {}", name.escape_ascii(), value.escape_ascii()));
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_path_gets_its_authority_from_the_host_and_no_scheme() {
        let text = b"POST /a?b HTTP/1.1\r\nHost: x.example:8080\r\nB: 1\r\nb:  2 \r\n\r\nbody: no";
        insta::assert_snapshot!(show(request(text)), @"
        :authority: x.example:8080
        :method: POST
        :path: /a?b
        b: 1, 2
        ");
        assert_eq!(show(request(b"\r\n\nGET /")), ":method: GET\n:path: /");
    }

    #[test]
    fn an_absolute_target_says_everything() {
        let text = b"GET https://A.example:443?q#f HTTP/1.1\nHost: other\nno colon\nC: 1\n 2\n";
        insta::assert_snapshot!(show(request(text)), @"
        :authority: a.example
        :method: GET
        :path: /?q
        :scheme: https
        c: 1 2
        ");
        assert!(show(request(b"GET http://a:81/ HTTP/1.1")).contains(":authority: a:81"));
    }

    #[test]
    fn a_response_has_a_status() {
        let text = b"HTTP/1.1 404 Not Found\r\nSet-Cookie: a\r\nset-cookie: b\xff";
        assert_eq!(show(response(text)), ":status: 404\nset-cookie: a, b\\xff");
    }

    #[test]
    fn what_is_not_http_is_said() {
        for text in ["", "\r\n", "GET", "GET path HTTP/1.1", "\u{fffd}"] {
            assert!(request(text.as_bytes()).is_err(), "{text}");
        }
        for text in ["", "200 OK", "HTTP/1.1 2000", "HTTP/1.1 abc", "HTTP/1.1"] {
            assert!(response(text.as_bytes()).is_err(), "{text}");
        }
    }
}
