//! The bench host predicts what Envoy does: the same traffic through both, with every example.

mod corpus;
mod examples;
mod made;
mod recorded;
mod run;
mod table;
