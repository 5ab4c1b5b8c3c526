//! The example `moderate` as a module for Higress, where what was checked is injected at once
//! instead of waiting in the host.

#![deny(unsafe_code)]

use moderate::Moderate;

chunkwise::plugin!(Moderate<true>, Higress);
