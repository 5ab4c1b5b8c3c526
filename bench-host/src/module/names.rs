//! The name section, as far as it can be read.

use wasmparser::{Name, NameMap, NameSectionReader};

/// What a name section calls functions and globals.
///
/// Names are only advice: a section that stops making sense counts as far as it did.
#[derive(Debug, Default)]
pub(crate) struct Names<'a> {
    /// Indices and names, possibly mangled.
    pub functions: Vec<(u32, &'a str)>,
    /// Indices and names.
    pub globals: Vec<(u32, &'a str)>,
}

impl<'a> Names<'a> {
    pub fn read(&mut self, section: NameSectionReader<'a>) {
        for name in section.into_iter().map_while(Result::ok) {
            match name {
                Name::Function(map) => extend(&mut self.functions, map),
                Name::Global(map) => extend(&mut self.globals, map),
                _ => {}
            }
        }
    }
}

fn extend<'a>(names: &mut Vec<(u32, &'a str)>, map: NameMap<'a>) {
    names.extend(map.into_iter().map_while(Result::ok).map(|naming| (naming.index, naming.name)));
}
