//! Handles that are kept beyond what they are for.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use bench_host::host::Direction;
use bench_host::testing::Call;
use chunkwise::Error;
use chunkwise::http::{
    BodyMode, HeadersAction, HeldBody, HeldHeaders, Reply, Resume, TrailersAction,
};
use chunkwise_task_tests::{AUTH, Case, Script, Signal, auth, data, headers, log, open};

#[test]
fn handles_of_ended_streams_say_so() {
    for case in Case::PROXIES {
        let kept: Rc<RefCell<Option<HeldHeaders>>> = Rc::default();
        let (keep, forever) = (Rc::clone(&kept), Signal::default());
        let script = Script::new().request_headers(move |headers| {
            let (keep, forever) = (Rc::clone(&keep), forever.clone());
            if headers.get("x-use")?.is_none() {
                return Ok(headers.wait(async move |held| {
                    held.set("x-open", "1")?;
                    keep.replace(Some(held));
                    forever.await;
                    Ok(Resume::Continue)
                }));
            }
            let held = keep.take().unwrap();
            let results = [
                held.get("x").err(),
                held.set("x", "1").err(),
                held.add("x", "1").err(),
                held.remove("x").err(),
                held.reply(&Reply::new(200)).err(),
            ];
            assert_eq!(results, [Some(Error::StreamGone); 5]);
            headers.set("x-mine", "1")?;
            Ok(HeadersAction::Continue)
        });
        let mut host = case.with(AUTH, script);
        let stream = open(&mut host);
        headers(&mut host, stream, Direction::Request, &[], true);
        host.slot().close(stream).unwrap();
        let outcome = host.send(Call::get("/").header("x-use", "1")).unwrap();
        assert_eq!(outcome.upstream.header("x-mine").as_deref(), Some("1"));
        assert_eq!(outcome.upstream.header("x"), None);
        assert!(!outcome.replied_locally);
    }
}

/// Handles that are kept beyond the release of what they are for: the host must not be asked, which
/// takes edits of a response's headers that come too late.
#[test]
fn handles_of_released_messages_say_so() {
    for case in Case::PROXIES {
        let headers: Rc<RefCell<Vec<HeldHeaders>>> = Rc::default();
        let bodies: Rc<RefCell<Vec<HeldBody>>> = Rc::default();
        let errors: Rc<RefCell<Vec<Option<Error>>>> = Rc::default();
        let keep = |kept: &Rc<RefCell<Vec<HeldHeaders>>>| {
            let kept = Rc::clone(kept);
            async move |held: HeldHeaders| {
                auth().get("/").send().await?;
                held.set("x-in-time", "1")?;
                kept.borrow_mut().push(held);
                Ok(Resume::Continue)
            }
        };
        let keep_body = |kept: &Rc<RefCell<Vec<HeldBody>>>| {
            let kept = Rc::clone(kept);
            async move |held: HeldBody| {
                auth().get("/").send().await?;
                held.replace("in time")?;
                kept.borrow_mut().push(held);
                Ok(Resume::Continue)
            }
        };
        let (one, other, noted) = (Rc::clone(&headers), Rc::clone(&headers), Rc::clone(&errors));
        let (one_body, other_body) = (Rc::clone(&bodies), Rc::clone(&bodies));
        let script = Script::new()
            .request_headers(move |headers| {
                headers.body_mode(BodyMode::Buffer);
                Ok(headers.wait(keep(&one)))
            })
            .request_body(move |chunk| chunk.wait(keep_body(&one_body)))
            .response_headers(move |headers| {
                headers.body_mode(BodyMode::Buffer);
                Ok(headers.wait(keep(&other)))
            })
            .response_body(move |chunk| chunk.wait(keep_body(&other_body)))
            .response_trailers(move |trailers| {
                let (headers, bodies) = (headers.take(), bodies.take());
                let noted = Rc::clone(&noted);
                trailers.spawn(async move {
                    auth().get("/").send().await?;
                    for held in headers {
                        noted.borrow_mut().push(held.set("x-late", "1").err());
                    }
                    for held in bodies {
                        noted.borrow_mut().push(held.replace("late").err());
                        noted.borrow_mut().push(held.bytes().err());
                    }
                    Ok(())
                });
                Ok(TrailersAction::Continue)
            });
        let mut host = case.with(AUTH, script);
        let stream = open(&mut host);
        let both = [Direction::Request, Direction::Response];
        for direction in both {
            chunkwise_task_tests::headers(&mut host, stream, direction, &[], false);
            host.run_for(Duration::from_millis(5)).unwrap();
            data(&mut host, stream, direction, b"body", direction == Direction::Request);
            host.run_for(Duration::from_millis(5)).unwrap();
        }
        let trailers = vec![("t".into(), "1".into())].into();
        let proxy = host.slot().proxy(stream).unwrap();
        proxy.trailers(stream.context, Direction::Response, trailers);
        host.run_for(Duration::from_millis(5)).unwrap();
        let closed = host.slot().close(stream).unwrap();
        let released = [Some(Error::HeadersReleased); 2];
        let errors = errors.take();
        assert_eq!(log(&mut host), [""; 0]);
        assert_eq!(errors[..2], released, "{errors:?}");
        // Only the request's body was sent on before the response's trailers came.
        assert_eq!(errors[2..4], [Some(Error::BodyReleased); 2], "{errors:?}");
        for half in [closed.request, closed.response] {
            assert_eq!(half.received.body(), b"in time");
            let headers = half.received.headers.unwrap();
            assert!(headers.get(b"x-in-time").is_some() && headers.get(b"x-late").is_none());
            assert!(half.received.ended);
        }
    }
}
