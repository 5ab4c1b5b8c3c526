//! The plugins that streams go wrong in, what each is asked, and what is answered behind it.

use serde_json::json;

use crate::stage::Plugin;

/// What the upstream answers; a request says which in `x-answer`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Events of a language model.
    Events,
    /// The same, about which the moderation service breaks off.
    Unjudged,
    /// The same, about which the moderation service takes its time.
    SlowlyJudged,
    /// An answer of a language model.
    Chat,
    /// A text with links.
    Page,
}

impl Answer {
    pub const ALL: [Self; 5] =
        [Self::Events, Self::Unjudged, Self::SlowlyJudged, Self::Chat, Self::Page];

    pub fn of(name: &[u8]) -> Self {
        let named = |answer: &Self| format!("{answer:?}").as_bytes() == name;
        Self::ALL.into_iter().find(named).unwrap_or(Self::Page)
    }

    pub fn content_type(self) -> &'static str {
        match self {
            Self::Events | Self::Unjudged | Self::SlowlyJudged => "text/event-stream",
            Self::Chat => "application/json",
            Self::Page => "text/plain",
        }
    }

    /// What begins an answer over HTTP/1.
    pub fn head(self) -> String {
        let kind = self.content_type();
        format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\n\r\n")
    }

    /// At least two.
    pub fn chunks(self) -> &'static [&'static str] {
        match self {
            Self::Events => &[
                "data: {\"choices\":[{\"delta\":{\"content\":\"Well said. \"}}]}\n\n",
                "data: {\"choices\":[{\"delta\":{\"content\":\"And done. \"}}]}\n\n",
                "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":5}}\n\n",
                "data: [DONE]\n\n",
            ],
            Self::Unjudged => &[
                "data: {\"choices\":[{\"delta\":{\"content\":\"A broken one. \"}}]}\n\n",
                "data: [DONE]\n\n",
            ],
            Self::SlowlyJudged => &[
                "data: {\"choices\":[{\"delta\":{\"content\":\"A slow one. \"}}]}\n\n",
                "data: [DONE]\n\n",
            ],
            Self::Chat => &["{\"choices\":[{\"message\":{", "\"content\":\"because\"}}]}"],
            Self::Page => &["see htt", "p://a.example/ and ", "http://b.example/\n"],
        }
    }

    pub fn text(self) -> String {
        self.chunks().concat()
    }
}

/// How the services answer. A slow one answers when clients have gone that leave.
pub const SERVICES: &str = r#"
[cluster.moderation]
[[cluster.moderation.http]]
match = { body_contains = "broken" }
fail = "reset"
[[cluster.moderation.http]]
match = { body_contains = "slow" }
latency = "400ms"
json = { flagged = false }
[[cluster.moderation.http]]
latency = "2ms"
json = { flagged = false }

[cluster.auth]
[[cluster.auth.http]]
match = { header.authorization = "broken" }
fail = "reset"
[[cluster.auth.http]]
match = { header.authorization = "slow" }
latency = "400ms"
[[cluster.auth.http]]
match = { header.authorization = "stranger" }
status = 401
body = "who are you?"
[[cluster.auth.http]]
latency = "2ms"
headers = { x-user-id = "jo" }

[cluster.audit]
[[cluster.audit.http]]
match = { body_contains = "broken" }
fail = "reset"
[[cluster.audit.http]]
latency = "5ms"
"#;

/// A plugin with what it is asked.
pub struct Subject {
    pub plugin: Plugin,
    pub path: &'static str,
    /// The request's body, in two parts.
    pub body: [&'static str; 2],
    pub answer: Answer,
    /// Whether the upstream sees nothing of a request before it has ended.
    pub holds: bool,
    /// Whether it asks a service about a stream.
    pub asks: bool,
    /// What the client gets of the upstream's answer where nothing goes wrong.
    pub makes: String,
}

impl Subject {
    /// What the upstream answers, for the service to answer as it is to.
    pub fn answer(&self, service: &str) -> Answer {
        match (&*self.plugin.name, service) {
            ("moderate", "broken") => Answer::Unjudged,
            ("moderate", "slow") => Answer::SlowlyJudged,
            _ => self.answer,
        }
    }
}

const CHAT: [&str; 2] =
    ["{\"model\":\"a\",\"messages\":[", "{\"role\":\"user\",\"content\":\"hi\"}]}"];

pub fn subjects() -> Vec<Subject> {
    let target = |name: &str| json!({"type": "target", "cluster": name, "host": name});
    let moderate = Plugin::example("moderate")
        .configured(&json!({"cluster": target("moderation"), "timeout_ms": 20_000}));
    let ext_auth = Plugin::example("ext-auth").configured(&json!({
        "service": {"cluster": target("auth"), "path": "/check", "timeout_ms": 20_000},
        "audit": {"cluster": target("audit"), "path": "/records"},
        "forward": ["authorization"],
        "copy": ["x-user-id"],
        "on_failure": "closed",
    }));
    let quota = Plugin::example("quota")
        .configured(&json!({"requests": 4_000_000, "header": "x-api-key", "shared": "api"}));
    let plain = |plugin, answer: Answer| Subject {
        plugin,
        path: "/v1/chat/completions",
        body: CHAT,
        answer,
        holds: false,
        asks: false,
        makes: answer.text(),
    };
    let all = vec![
        Subject { asks: true, ..plain(moderate, Answer::Events) },
        Subject { asks: true, ..plain(ext_auth, Answer::Page) },
        Subject {
            path: "/ask",
            body: ["{\"question\":", "\"why?\"}"],
            holds: true,
            makes: "{\"answer\":\"because\"}".to_owned(),
            ..plain(Plugin::example("fallback").allow(), Answer::Chat)
        },
        Subject {
            makes: Answer::Page.text().replace("http:", "https:"),
            ..plain(Plugin::example("replace"), Answer::Page)
        },
        Subject { holds: true, ..plain(Plugin::example("upload-scan"), Answer::Page) },
        Subject { holds: true, ..plain(Plugin::example("prompt-guard").allow(), Answer::Chat) },
        plain(Plugin::example("token-count"), Answer::Events),
        plain(quota, Answer::Page),
    ];
    let to_the_wild = |mut subject: Subject| {
        subject.plugin = subject.plugin.manager(json!({"route_config": {
            "name": "routes",
            "virtual_hosts": [{
                "name": "any",
                "domains": ["*"],
                "routes": [{
                    "name": "default",
                    "match": {"prefix": "/"},
                    "route": {"cluster": "upstream-wild"},
                }],
            }],
        }}));
        subject
    };
    all.into_iter().map(to_the_wild).collect()
}
