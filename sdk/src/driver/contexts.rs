//! The contexts that the host has opened, by id.

use std::cell::RefCell;
use std::rc::Rc;

use super::stream::Stream;
use crate::plugin::Plugin;
use crate::table::Table;

/// Ended streams whose memory is kept for those to come.
const SPARE: usize = 64;

/// All contexts of a VM.
///
/// A stream is *taken out* while its callback runs, so that no borrow is held while an author's
/// code makes host calls, which may call back.
pub(super) struct Contexts<P: Plugin> {
    plugins: RefCell<Vec<(u32, Option<Rc<P>>)>>,
    streams: RefCell<Table<Slot<P>>>,
    // Boxed, so that taking a stream out moves a pointer; the boxes are what is being kept.
    spare: RefCell<Vec<Box<Stream<P>>>>,
}

/// A stream's slot; empty while its callback runs.
type Slot<P> = Option<Box<Stream<P>>>;

impl<P: Plugin> Contexts<P> {
    pub const fn new() -> Self {
        Self {
            plugins: RefCell::new(Vec::new()),
            streams: RefCell::new(Table::new()),
            spare: RefCell::new(Vec::new()),
        }
    }

    pub fn open_plugin(&self, id: u32) {
        self.plugins.borrow_mut().push((id, None));
    }

    /// Puts a configured plugin into its context; the one before lives on in its streams.
    pub fn configure_plugin(&self, id: u32, plugin: Rc<P>) {
        let mut plugins = self.plugins.borrow_mut();
        let before = match plugins.iter_mut().find(|(known, _)| *known == id) {
            Some((_, slot)) => slot.replace(plugin),
            None => {
                plugins.push((id, Some(plugin)));
                None
            }
        };
        // Dropped without the borrow: an author's `Drop` may log.
        drop(plugins);
        drop(before);
    }

    pub fn open_stream(&self, id: u32, parent: u32) {
        let new = Stream::new(id, parent, self.plugin(parent));
        let spare = self.spare.borrow_mut().pop();
        let stream = match spare {
            Some(mut stream) => {
                *stream = new;
                stream
            }
            None => Box::new(new),
        };
        let replaced = self.streams.borrow_mut().insert(id, Some(stream));
        // A host that uses an id twice ends the older stream; dropped without the borrow.
        drop(replaced);
    }

    /// Takes a stream out for a callback. `None`: nobody knows it, or its callback is running.
    ///
    /// It comes with its place, which is where it most likely goes back to.
    #[inline]
    pub fn take(&self, id: u32) -> Option<(usize, Box<Stream<P>>)> {
        let mut streams = self.streams.borrow_mut();
        let at = streams.find(id)?;
        Some((at, streams.at_mut(at, id)?.take()?))
    }

    /// Puts a stream back, unless it was closed meanwhile (and its id perhaps used again): then it
    /// is the answer, to be [retired](Self::retire).
    #[inline]
    #[must_use]
    pub fn put_back(&self, id: u32, at: usize, stream: Box<Stream<P>>) -> Option<Box<Stream<P>>> {
        match self.streams.borrow_mut().at_mut(at, id) {
            Some(slot @ None) => {
                *slot = Some(stream);
                return None;
            }
            Some(_) => return Some(stream),
            None => (),
        }
        self.put_elsewhere(id, stream)
    }

    #[cold]
    #[inline(never)]
    fn put_elsewhere(&self, id: u32, stream: Box<Stream<P>>) -> Option<Box<Stream<P>>> {
        match self.streams.borrow_mut().get_mut(id) {
            Some(slot @ None) => {
                *slot = Some(stream);
                None
            }
            _ => Some(stream),
        }
    }

    /// Forgets a context. The answer is its stream, to be [retired](Self::retire); one whose
    /// callback is running is given when that ends.
    #[must_use]
    pub fn close(&self, id: u32) -> Option<Box<Stream<P>>> {
        let stream = self.streams.borrow_mut().remove(id);
        if let Some(stream) = stream {
            return stream;
        }
        let mut plugins = self.plugins.borrow_mut();
        let closed = plugins.iter().position(|(known, _)| *known == id);
        let plugin = closed.map(|at| plugins.swap_remove(at));
        drop(plugins);
        drop(plugin);
        None
    }

    /// Whether any stream is open, those whose callback is running included.
    pub fn has_streams(&self) -> bool {
        !self.streams.borrow().is_empty()
    }

    /// Whether the context is a plugin's.
    pub fn is_plugin(&self, id: u32) -> bool {
        self.plugins.borrow().iter().any(|(known, _)| *known == id)
    }

    /// A plugin's context, as long as there is one.
    pub fn any_plugin(&self) -> Option<u32> {
        self.plugins.borrow().last().map(|(id, _)| *id)
    }

    fn plugin(&self, id: u32) -> Option<Rc<P>> {
        let plugins = self.plugins.borrow();
        plugins.iter().find(|(known, _)| *known == id)?.1.clone()
    }

    /// Keeps the memory of a stream that has ended.
    #[cold]
    pub fn retire(&self, mut stream: Box<Stream<P>>) {
        *stream = Stream::empty();
        let mut spare = self.spare.borrow_mut();
        if spare.len() < SPARE {
            spare.push(stream);
        }
    }
}
