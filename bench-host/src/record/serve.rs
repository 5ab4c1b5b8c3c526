//! Connections come and go until the recording ends.

use std::{
    future, io,
    sync::{Arc, OnceLock},
    time::Duration,
};

use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
};
use tokio::{
    net::{TcpListener, TcpStream},
    runtime,
    time::{sleep, timeout},
};

use super::{
    Event, Listener, Options, RecordError, Summary,
    connections::Connections,
    proxy::Proxy,
    sink::{self, Sink},
};
use crate::traffic::TraceWriter;

/// How long requests under way may go on at the end.
const GRACE: Duration = Duration::from_secs(5);
/// How long to wait when a connection cannot be taken, as when there are too many.
const PAUSE: Duration = Duration::from_millis(50);
/// The most headers that an HTTP/2 client may send, as many as Envoy takes.
const HEADERS: u32 = 60 << 10;

pub(super) fn run(
    options: Options,
    writer: TraceWriter,
    listener: Listener,
) -> Result<(TraceWriter, Summary), RecordError> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(RecordError::Machine)?;
    let (sink, thread) = Sink::start(&options, writer, listener.clone())?;
    let proxy = Proxy { options, began: OnceLock::new(), sink, listener };
    let served = runtime.block_on(serve(Arc::new(proxy)));
    // With the runtime go the last requests, and with them what keeps the thread.
    runtime.shutdown_background();
    let written = sink::join(thread);
    served?;
    written
}

async fn serve(proxy: Arc<Proxy>) -> Result<(), RecordError> {
    // Before anybody is told where to connect to, and so may want to stop it.
    let mut interrupts = Interrupts::new().map_err(RecordError::Machine)?;
    let address = proxy.options.listen;
    let listen = |cause| RecordError::Listen { address, cause };
    let socket = TcpListener::bind(address).await.map_err(listen)?;
    proxy.listener.tell(Event::Listening(socket.local_addr().map_err(listen)?));

    let connections = GracefulShutdown::new();
    let over = async {
        match proxy.options.time {
            Some(time) => sleep(time).await,
            None => future::pending().await,
        }
    };
    let mut over = Box::pin(over);
    loop {
        tokio::select! {
            accepted = socket.accept() => match accepted {
                Ok((stream, _)) => take(&proxy, &connections, stream),
                Err(_) => sleep(PAUSE).await,
            },
            () = interrupts.next() => break,
            () = proxy.sink.is_over() => break,
            () = &mut over => break,
        }
    }
    drop(socket);
    tokio::select! {
        _ = timeout(GRACE, connections.shutdown()) => {}
        () = interrupts.next() => {}
    }
    Ok(())
}

/// Serves a connection, whichever protocol it begins with.
fn take(proxy: &Arc<Proxy>, connections: &GracefulShutdown, stream: TcpStream) {
    // A frame that waits for the next one would come at another time.
    let _ = stream.set_nodelay(true);
    let upstream = Arc::new(Connections::new(proxy.options.upstream.clone()));
    let proxy = proxy.clone();
    let service = service_fn(move |request| proxy.clone().pass(upstream.clone(), request));
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).auto_date_header(false);
    builder.http2().timer(TokioTimer::new()).auto_date_header(false).max_header_list_size(HEADERS);
    let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
    let connection = connections.watch(connection);
    // A client that goes away is no failure of the recording; its exchange says what happened.
    tokio::spawn(async move { drop(connection.await) });
}

/// Ctrl-C and, where there is one, SIGTERM.
struct Interrupts {
    #[cfg(unix)]
    signals: [tokio::signal::unix::Signal; 2],
}

impl Interrupts {
    #[cfg(unix)]
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};

        Ok(Self { signals: [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?] })
    }

    #[cfg(unix)]
    async fn next(&mut self) {
        let [interrupt, terminate] = &mut self.signals;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }

    #[cfg(not(unix))]
    fn new() -> io::Result<Self> {
        Ok(Self {})
    }

    #[cfg(not(unix))]
    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            future::pending().await
        }
    }
}
