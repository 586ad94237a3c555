//! Connections that cost little while nothing is said on them. HTTP's buffers (16 KiB and more) are there for a burst of
//! requests; a moment after its last answer they are given back, and the stream alone waits for the next one. Whoever
//! calls sees an ordinary kept connection.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use bytes::{Buf as _, Bytes};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tower::ServiceExt as _;

use crate::serve::{CloseConnection, PATIENCE, Peer};

/// How long a burst waits for its next request before the buffers are given back.
const LINGER: Duration = Duration::from_millis(200);

/// A stream with what was read ahead of it.
struct Rewound<S> {
    before: Bytes,
    stream: S,
}

/// Answers on one connection until the caller goes away, or says nothing for longer than `quiet`.
pub(crate) async fn serve<S>(mut stream: S, peer: Peer, router: Router, quiet: Duration)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut before = Bytes::new();
    loop {
        if before.is_empty() {
            let mut first = [0];
            match tokio::time::timeout(quiet, stream.read(&mut first)).await {
                Ok(Ok(1)) => before = Bytes::copy_from_slice(&first),
                _ => break,
            }
        }
        // in a box of its own, which goes with the buffers
        match Box::pin(burst(Rewound { before, stream }, peer, router.clone())).await {
            Some(Rewound {
                before: more,
                stream: back,
            }) => (before, stream) = (more, back),
            None => return,
        }
    }
    // Err: the caller went away first
    let _ = stream.shutdown().await;
}

/// Answers requests that follow each other closely. The stream, and what was read beyond them, when more may come.
async fn burst<S>(stream: Rewound<S>, peer: Peer, router: Router) -> Option<Rewound<S>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (begun, ended) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let counts = (Arc::clone(&begun), Arc::clone(&ended));
    let service = hyper::service::service_fn(move |request: http::Request<hyper::body::Incoming>| {
        let (router, (begun, ended)) = (router.clone(), counts.clone());
        // pinned, as a connection that is to be taken apart again must be movable
        Box::pin(async move {
            begun.fetch_add(1, Ordering::Relaxed);
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(peer);
            let response = router.oneshot(request).await.unwrap_or_else(|e: Infallible| match e {});
            ended.fetch_add(1, Ordering::Relaxed);
            match response.extensions().get::<CloseConnection>() {
                Some(_) => Err(io::Error::from(io::ErrorKind::ConnectionReset)),
                None => Ok(response),
            }
        })
    });
    let mut connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .serve_connection(TokioIo::new(stream), service);
    // how many requests there had been when the connection was told to end, and at the last look
    let (mut told, mut seen) = (None, 0);
    loop {
        tokio::select! {
            biased;
            done = poll_fn(|cx| connection.poll_without_shutdown(cx)) => {
                // Err: the caller went away, or a fault closed the connection
                let whole = done.is_ok() && told == Some(begun.load(Ordering::Relaxed));
                let parts = connection.into_parts();
                let mut stream = parts.io.into_inner();
                if !whole {
                    // the caller wanted it closed, or was told that it will be: a request came as it ended
                    let _ = stream.stream.shutdown().await;
                    return None;
                }
                // a copy, which is empty most times: even nothing of it would hold the whole buffer
                return Some(Rewound {
                    before: [parts.read_buf, stream.before].concat().into(),
                    stream: stream.stream,
                });
            }
            () = tokio::time::sleep(LINGER), if told.is_none() => {
                let now = begun.load(Ordering::Relaxed);
                if now > 0 && now == seen && ended.load(Ordering::Relaxed) == now {
                    told = Some(now);
                    Pin::new(&mut connection).graceful_shutdown();
                }
                seen = now;
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Rewound<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.before.is_empty() {
            let n = self.before.len().min(into.remaining());
            into.put_slice(&self.before[..n]);
            self.before.advance(n);
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Rewound<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, from)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, from)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use axum::routing::get;

    use super::*;

    const ASK: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";

    fn peer() -> Peer {
        let at = "127.0.0.1:1".parse().unwrap();
        Peer { local: at, remote: at }
    }

    async fn answer(stream: &mut tokio::io::DuplexStream) -> String {
        let mut got = Vec::new();
        let mut piece = [0; 256];
        while !got.ends_with(b"hello") {
            let n = stream.read(&mut piece).await.unwrap();
            assert_ne!(n, 0, "closed after {}", String::from_utf8_lossy(&got));
            got.extend_from_slice(&piece[..n]);
        }
        String::from_utf8(got).unwrap()
    }

    fn start() -> (tokio::io::DuplexStream, tokio::task::JoinHandle<()>) {
        let (mine, theirs) = tokio::io::duplex(4096);
        let router = Router::new().route("/", get(async || "hello"));
        (mine, tokio::spawn(serve(theirs, peer(), router, PATIENCE)))
    }

    #[tokio::test(start_paused = true)]
    async fn a_kept_connection_stays_one_over_pauses_of_any_length_below_the_limit() {
        let (mut mine, task) = start();
        for pause in [0, 50, 199, 200, 201, 399, 400, 401, 500, 5000, 19_000] {
            tokio::time::sleep(Duration::from_millis(pause)).await;
            mine.write_all(ASK).await.unwrap();
            let said = answer(&mut mine).await;
            assert!(
                !said.to_ascii_lowercase().contains("connection: close"),
                "{pause}: {said}"
            );
        }
        tokio::time::sleep(PATIENCE + Duration::from_secs(2)).await;
        assert_eq!(mine.read(&mut [0; 8]).await.unwrap(), 0, "silence ends it");
        task.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_in_pieces_is_whole_whenever_the_pieces_come() {
        let (mut mine, _task) = start();
        for pause in [1, 199, 200, 300, 700, 3000] {
            for piece in ASK.chunks(9) {
                mine.write_all(piece).await.unwrap();
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
            answer(&mut mine).await;
        }
        // two at once
        mine.write_all(&[ASK, ASK].concat()).await.unwrap();
        answer(&mut mine).await;
        mine.write_all(ASK).await.unwrap();
        answer(&mut mine).await;
    }

    #[tokio::test(start_paused = true)]
    async fn who_wants_it_closed_has_it_closed() {
        let (mut mine, task) = start();
        mine.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .await
            .unwrap();
        let mut all = Vec::new();
        mine.read_to_end(&mut all).await.unwrap();
        assert!(all.ends_with(b"hello"));
        task.await.unwrap();
    }
}
