//! What plugins cost in Envoy: the rows of `results/envoy.csv`, and the page of them.

mod page;
mod publish;
mod row;

pub use page::page;
pub use publish::{publish, quoted};
pub use row::{CsvError, Figure, Predicted, Row, median, parse, print};

/// The name of the row that the others are compared with.
pub const NONE: &str = "no plugin";
/// The row of no plugin, measured a second time: what differs is noise.
pub const AGAIN: &str = "no plugin again";
