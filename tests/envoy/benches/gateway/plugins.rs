//! Envoy with each plugin, with none, and with a script in its place.

use std::error::Error;
use std::fs;

use bench_host::upstream::Upstreams;
use envoy_tests::bootstrap::ports;
use envoy_tests::figures::{AGAIN, NONE};
use envoy_tests::{Bootstrap, Gateway, Services};

/// Envoy's own Lua filter, doing what `replace` does.
pub const LUA: &str = "Lua";

const SCRIPT: &str = include_str!("replace.lua");

/// What a plugin needs apart from its bootstrap.
struct Needs {
    /// Changes to its configuration, as the file has it.
    edits: &'static [(&'static str, &'static str)],
    /// The services that it calls, on the ports from 8081 on.
    clusters: &'static [&'static str],
    /// What they answer.
    answers: &'static str,
}

fn needs(plugin: &str) -> Needs {
    let (edits, clusters, answers): (&[_], &[_], _) = match plugin {
        // All requests are to pass.
        "quota" => (
            &[
                ("\"requests\": 60,", "\"requests\": 1000000000,"),
                ("\"burst\": 10", "\"burst\": 1000000000"),
            ],
            &[],
            "",
        ),
        "ext-auth" => (
            &[],
            &[
                "outbound|80||auth.prod.svc.cluster.local",
                "outbound|80||audit.prod.svc.cluster.local",
            ],
            "status = 200",
        ),
        "leader" => (&[], &["outbound|80||quotas.dns"], "json = { ada = 100 }"),
        "ticks" => (&[], &["outbound|80||lists.dns"], "json = [\"10.0.0.9\"]"),
        "moderate" => {
            (&[], &["outbound|80||moderation.prod.svc.cluster.local"], "json = { flagged = false }")
        }
        "rebuild" => (
            &[],
            &["outbound|80||tenants.prod.svc.cluster.local"],
            "json = { paths = [\"/api/\"] }",
        ),
        _ => (&[], &[], ""),
    };
    Needs { edits, clusters, answers }
}

/// What answers the calls of a plugin, as a script of upstreams.
pub fn script(plugin: &str) -> String {
    let Needs { clusters, answers, .. } = needs(plugin);
    let rule = |cluster: &&str| format!("[[cluster.\"{cluster}\".http]]\n{answers}\n");
    clusters.iter().map(rule).collect()
}

/// The example behind a name; `None` for what is no module.
pub fn example(plugin: &str) -> Option<&str> {
    Some(plugin).filter(|plugin| ![NONE, AGAIN, LUA].contains(plugin))
}

/// The configuration of a plugin, which its bootstrap has too.
pub fn configuration(plugin: &str) -> Result<String, Box<dyn Error>> {
    let path = chunkwise_tests::root().join("examples").join(plugin).join("config.json");
    let text = fs::read_to_string(match plugin {
        // They take that of the plugin that they are compared with.
        "floor" | "baseline" => chunkwise_tests::root().join("examples/replace/config.json"),
        _ => path,
    })?;
    needs(plugin).edits.iter().try_fold(text, |text, (written, edit)| {
        match text.contains(written) {
            true => Ok(text.replace(written, edit)),
            false => {
                Err(format!("there is no `{written}` in the configuration of {plugin}").into())
            }
        }
    })
}

/// Starts Envoy with a plugin in front of an upstream, and what the plugin calls.
pub fn start(plugin: &str, upstream: u16) -> Result<(Gateway, Services), Box<dyn Error>> {
    let mut bootstrap = Bootstrap::of_example(example(plugin).unwrap_or("replace"))?;
    if let Some(example) = example(plugin) {
        chunkwise_tests::module(example);
    } else {
        let filter = between(&bootstrap, "          - name: wasm\n", "          - name: router\n")?;
        let other = if plugin == LUA { lua() } else { String::new() };
        bootstrap = bootstrap.replace(&filter, &other)?;
    }
    // A line for each request would be measured too, and fill a disk.
    let log = between(&bootstrap, "          access_log:\n", "          route_config:\n")?;
    bootstrap = bootstrap.replace(&log, "")?.port(ports::UPSTREAM, upstream)?;
    let needs = needs(plugin);
    for (written, edit) in needs.edits {
        bootstrap = bootstrap.replace(written, edit)?;
    }
    let mut services = Services::new(&Upstreams::parse(&script(plugin), plugin)?);
    for (cluster, port) in needs.clusters.iter().zip(ports::UPSTREAM + 1..) {
        bootstrap = bootstrap.port(port, services.serve(cluster)?)?;
    }
    let gateway = Gateway::start(bootstrap, 1).map_err(|error| format!("{plugin}: {error}"))?;
    Ok((gateway, services))
}

/// The text of a bootstrap from one line up to another.
fn between(bootstrap: &Bootstrap, from: &str, to: &str) -> Result<String, Box<dyn Error>> {
    let text = bootstrap.text();
    let part = text.find(from).and_then(|at| text[at..].find(to).map(|end| &text[at..at + end]));
    Ok(part
        .ok_or_else(|| format!("the bootstrap has no {} before {}", from.trim(), to.trim()))?
        .into())
}

fn lua() -> String {
    let indented = SCRIPT.lines().map(|line| format!("                  {line}\n"));
    let head = r#"          - name: lua
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua
              default_source_code:
                inline_string: |
"#;
    head.to_owned() + &indented.collect::<String>()
}
