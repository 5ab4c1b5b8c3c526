//! What two gateways are given so that they can be compared.

use std::fs;

use chunkwise_tests::root;

use crate::Bootstrap;
use crate::bootstrap::BootstrapError;

/// An example, and how a test runs it other than its files say.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(crate) example: String,
    pub(crate) script: String,
    pub(crate) route: String,
    pub(crate) cluster: String,
    pub(crate) compares_calls: bool,
    edits: Vec<(String, String)>,
}

impl Plan {
    /// An example as its files say, whose calls nobody answers.
    pub fn of(example: &str) -> Self {
        Self {
            example: example.to_owned(),
            script: String::new(),
            route: "default".to_owned(),
            cluster: "upstream".to_owned(),
            compares_calls: false,
            edits: Vec::new(),
        }
    }

    /// What answers its calls, in the words of the bench host.
    #[must_use]
    pub fn script(mut self, script: &str) -> Self {
        script.clone_into(&mut self.script);
        self
    }

    /// Compares the plugin's own calls too: for plugins that make them for requests, and not
    /// whenever it is time.
    #[must_use]
    pub fn compare_calls(mut self) -> Self {
        self.compares_calls = true;
        self
    }

    /// Puts another text into a line of its configuration.
    #[must_use]
    pub fn edit(mut self, from: &str, to: &str) -> Self {
        self.edits.push((from.to_owned(), to.to_owned()));
        self
    }

    /// Gives the route another name.
    #[must_use]
    pub fn route(mut self, name: &str) -> Self {
        name.clone_into(&mut self.route);
        self
    }

    /// Gives the cluster behind the plugin another name.
    #[must_use]
    pub fn cluster(mut self, name: &str) -> Self {
        name.clone_into(&mut self.cluster);
        self
    }

    /// The configuration by itself.
    pub(crate) fn config(&self) -> String {
        // Examples of two modules have one configuration.
        let folder = self.example.split('/').next().unwrap_or(&self.example);
        let config = root().join("examples").join(folder).join("config.json");
        let mut config = fs::read_to_string(config).unwrap_or_default();
        for (from, to) in &self.edits {
            config = config.replace(from, to);
        }
        config
    }

    /// The bootstrap that holds it.
    pub(crate) fn bootstrap(&self) -> Result<Bootstrap, BootstrapError> {
        let mut bootstrap = Bootstrap::of_example(&self.example)?;
        for (from, to) in &self.edits {
            bootstrap = bootstrap.replace(from, to)?;
        }
        if self.route != "default" {
            bootstrap = bootstrap.replace("name: default\n", &format!("name: {}\n", self.route))?;
        }
        if self.cluster != "upstream" {
            let names = ["cluster: upstream\n", "- name: upstream\n", "cluster_name: upstream\n"];
            for name in names {
                let other = name.replace("upstream", &format!("\"{}\"", self.cluster));
                bootstrap = bootstrap.replace(name, &other)?;
            }
        }
        Ok(bootstrap)
    }
}
