//! Names of headers and parameters that say that their values are secret.

/// Words of which one in a name means a secret: `x-csrf-token`, `X-Amz-Signature`, `id_token`.
/// Digits behind them do not count.
const SECRET_WORDS: [&str; 23] = [
    "apikey",
    "assertion",
    "auth",
    "authentication",
    "authorization",
    "bearer",
    "cookie",
    "credential",
    "credentials",
    "hmac",
    "jwt",
    "otp",
    "passcode",
    "passphrase",
    "passwd",
    "password",
    "pwd",
    "samlresponse",
    "secret",
    "sid",
    "sig",
    "signature",
    "token",
];

/// Ends of words that are written in one, as in `accessToken`, `clientsecret` and `JSESSIONID`.
const SECRET_ENDS: [&str; 5] = ["token", "secret", "password", "sessionid", "sessid"];

/// How a word ends that makes the `key` behind it one that opens something, written in one or not:
/// `x-rapidapi-key`, `sharedAccessKey`.
const KEYS: [&str; 23] = [
    "access",
    "account",
    "admin",
    "api",
    "app",
    "application",
    "auth",
    "client",
    "consumer",
    "customer",
    "encryption",
    "functions",
    "license",
    "master",
    "private",
    "secret",
    "service",
    "session",
    "shared",
    "signing",
    "storage",
    "subscription",
    "user",
];

/// Whether a name says of its value that it is a secret.
pub(super) fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let words: Vec<_> = name
        .split(|c: char| !c.is_ascii_alphanumeric())
        .map(|word| word.trim_end_matches(|c: char| c.is_ascii_digit()))
        .collect();
    let opens = |before: &str| KEYS.iter().any(|key| before.ends_with(key));
    words.iter().any(|word| {
        SECRET_WORDS.contains(word)
            || SECRET_ENDS.iter().any(|end| word.ends_with(end))
            || word.strip_suffix("key").is_some_and(opens)
    }) || words.windows(2).any(|pair| {
        (pair[1] == "key" && opens(pair[0])) || (pair[0] == "session" && pair[1] == "id")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_secrets() {
        for name in [
            "authorization",
            "proxy-authorization",
            "x-api-key",
            "api-key",
            "x-goog-api-key",
            "x-amz-security-token",
            "x-auth-token",
            "x-csrf-token",
            "x-vault-token",
            "ocp-apim-subscription-key",
            "x-functions-key",
            "x-goog-iam-authorization-token",
            "cf-access-client-secret",
            "x-apikey",
            "X-Amz-Signature",
            "X-Amz-Credential",
            "access_token",
            "id_token",
            "accessToken",
            "clientsecret",
            "apiKey",
            "sig",
            "x-forwarded-password",
            "password1",
            "cookie2",
            "x-authentication",
            "mcp-session-id",
            "JSESSIONID",
            "PHPSESSID",
            "x-rapidapi-key",
            "dd-application-key",
            "x-amz-server-side-encryption-customer-key",
            "sharedAccessKey",
            "hapikey",
            "SAMLResponse",
        ] {
            assert!(is_secret(name), "{name}");
        }
        // One of them says how many tokens of a language model are left.
        for name in [
            "content-type",
            "sec-websocket-key",
            "www-authenticate",
            "x-ratelimit-remaining-tokens",
            "max_tokens",
            "x-cache-key",
            "x-request-id",
            "author",
            "monkey",
            "surrogate-key",
            "idempotency-key",
            "x-session-count",
            "assigned",
            "x-api-version",
        ] {
            assert!(!is_secret(name), "{name}");
        }
    }
}
