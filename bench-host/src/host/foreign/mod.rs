//! Foreign functions: calls that a proxy offers by name, beside the ABI.
//!
//! Names and arguments are those of Envoy's `foreign.cc` (1.36) and of Higress's. Arguments that
//! are protobuf and do not parse are `BadArgument`, as there. `verify_signature` and `sign` are not
//! offered: they would bring a library of cryptography for two calls that no plugin at hand makes.

mod compress;
mod expression;
mod inject;
mod state;

pub(super) use expression::Expressions;

use super::settings::Profile;
use super::{Host, Status};

/// What a function gives back: bytes for the guest, if any.
pub(super) type Answer = Result<Option<Vec<u8>>, Status>;

/// Calls a function by its name.
///
/// # Errors
/// [`Status::NotFound`] for a name that the proxy does not offer; anything else as the function
/// says.
pub(super) fn call(host: &mut Host, name: &[u8], arguments: &[u8]) -> Answer {
    let higress = host.settings.profile == Profile::Higress;
    match name {
        b"compress" => compress::compress(arguments),
        b"uncompress" => compress::uncompress(arguments),
        b"declare_property" => state::declare_property(host, arguments),
        b"set_envoy_filter_state" => state::set_envoy_filter_state(host, arguments),
        b"clear_route_cache" => state::clear_route_cache(host),
        b"expr_create" => expression::create(host, arguments),
        b"expr_evaluate" => expression::evaluate(host, arguments),
        b"expr_delete" => expression::delete(host, arguments),
        b"get_log_level" if higress => Ok(Some((host.log.level() as u32).to_le_bytes().to_vec())),
        b"set_global_max_requests_per_io_cycle" if higress => limit_io_cycle(host, arguments),
        b"inject_encoded_data_to_filter_chain" if higress => inject::inject(host, arguments, false),
        b"inject_encoded_data_to_filter_chain_on_header" if higress => {
            inject::inject(host, arguments, true)
        }
        _ => Err(Status::NotFound),
    }
}

/// `set_global_max_requests_per_io_cycle`: eight bytes, little end first. The lowest stays.
fn limit_io_cycle(host: &mut Host, arguments: &[u8]) -> Answer {
    let limit = arguments.try_into().map_err(|_| Status::BadArgument)?;
    let limit = u64::from_le_bytes(limit);
    host.max_requests_per_io_cycle =
        Some(host.max_requests_per_io_cycle.map_or(limit, |lowest| lowest.min(limit)));
    Ok(None)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::host::{Level, Received, Settings, Stream, World};

    pub(super) fn host(profile: Profile) -> Host {
        let mut host = Host::new(Settings::new(profile), &World::default());
        host.current = 2;
        let stream = Stream::new(1, "HTTP/1.1", Received::default(), Received::default());
        host.streams.insert(2, stream);
        host
    }

    const ALL: [&str; 14] = [
        "compress",
        "uncompress",
        "declare_property",
        "set_envoy_filter_state",
        "clear_route_cache",
        "expr_create",
        "expr_evaluate",
        "expr_delete",
        "get_log_level",
        "set_global_max_requests_per_io_cycle",
        "inject_encoded_data_to_filter_chain",
        "inject_encoded_data_to_filter_chain_on_header",
        "verify_signature",
        "no such function",
    ];

    #[test]
    fn each_proxy_offers_its_own() {
        let unknown = |profile, names: &[&str]| {
            names.iter().all(|name| {
                call(&mut host(profile), name.as_bytes(), b"\0\0\0\0\0\0\0\0\0")
                    == Err(Status::NotFound)
            })
        };
        assert!(unknown(Profile::Envoy, &ALL[8..]));
        assert!(unknown(Profile::Higress, &ALL[12..]));
        for name in ["get_log_level", "set_global_max_requests_per_io_cycle"] {
            assert!(!unknown(Profile::Higress, &[name]), "{name}");
        }
    }

    #[test]
    fn the_log_level_is_four_bytes() {
        let mut host = host(Profile::Higress);
        host.log = crate::host::Log::new(Level::Error);
        assert_eq!(call(&mut host, b"get_log_level", b"anything"), Ok(Some(vec![4, 0, 0, 0])));
    }

    #[test]
    fn the_lowest_limit_stays() {
        let mut host = host(Profile::Higress);
        let name = b"set_global_max_requests_per_io_cycle";
        for limit in [9_u64, 3, 7] {
            assert_eq!(call(&mut host, name, &limit.to_le_bytes()), Ok(None));
        }
        for wrong in [&[][..], &[1; 4], &[1; 9]] {
            assert_eq!(call(&mut host, name, wrong), Err(Status::BadArgument));
        }
        assert_eq!(host.max_requests_per_io_cycle, Some(3));
    }

    proptest! {
        #[test]
        fn arguments_by_chance_get_a_status(
            calls in prop::collection::vec(
                (0..ALL.len(), prop::collection::vec(any::<u8>(), 0..60)), 1..10),
            stream: bool,
        ) {
            let mut host = host(Profile::Higress);
            host.current = if stream { 2 } else { 1 };
            for (name, arguments) in calls {
                let _ = call(&mut host, ALL[name].as_bytes(), &arguments);
            }
        }
    }
}
