//! The largest buffer limit and the most streams at once with which a plugin's memory stays within
//! a budget: the command `limits`.
//!
//! Not to be confused with what stops a plugin that uses too much, which is
//! [`Limits`](crate::engine::wasm::Limits).

mod load;
mod point;
mod result;
mod search;
mod sweep;
mod text;

pub use load::{Kind, Load};
pub use point::Point;
pub use result::{BudgetFile, Fit, LoadInfo, csv};
pub use sweep::{Question, Swept, sweep};
pub use text::text;
