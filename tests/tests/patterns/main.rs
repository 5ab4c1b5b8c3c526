//! The page `docs/patterns.md`: its plugins do what it says, and are as short as it says.

mod behaviour;
mod count;
mod lines;
