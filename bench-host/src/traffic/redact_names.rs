//! Names of headers and parameters that say that their values are secret.

/// Words of which one in a name means a secret: `x-csrf-token`, `X-Amz-Signature`, `id_token`.
const SECRET_WORDS: [&str; 18] = [
    "apikey",
    "assertion",
    "auth",
    "authorization",
    "cookie",
    "cookie2",
    "credential",
    "credentials",
    "jwt",
    "passwd",
    "password",
    "pwd",
    "secret",
    "sessionid",
    "sid",
    "sig",
    "signature",
    "token",
];

/// Words that make the `key` that follows them one that opens something.
const KEYS: [&str; 10] = [
    "access",
    "account",
    "api",
    "auth",
    "functions",
    "master",
    "private",
    "secret",
    "shared",
    "subscription",
];

/// Whether a name says of its value that it is a secret.
pub(super) fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let words: Vec<_> = name.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    words.iter().any(|word| SECRET_WORDS.contains(word))
        || words.windows(2).any(|pair| pair[1] == "key" && KEYS.contains(&pair[0]))
        // Written in one, as in `accessToken` and `clientsecret`.
        || words.iter().any(|word| {
            ["token", "secret", "password"].iter().any(|end| word.ends_with(end))
                || KEYS.iter().any(|key| word.strip_suffix("key") == Some(key))
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
        ] {
            assert!(!is_secret(name), "{name}");
        }
    }
}
