//! The bench host predicts what Envoy does: the same traffic through both, with every example.

mod recorded;
