//! A client of the control endpoint: one connection a request, a deadline, and an answer that is no larger than it may be.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;

use super::{Cleared, FaultKind, LoadRequest, Loaded, PaceStatus, Problem, RackStatus};
use crate::faults::Fault;

/// Longest that an answer takes.
const PATIENCE: Duration = Duration::from_secs(10);
/// The same for a step: a week of a large rack takes its time.
const STEP: Duration = Duration::from_secs(70);
/// Largest answer: a rack of 1,000 boxes is 400 KiB.
const ANSWER: usize = 16 << 20;

/// Why there is no answer, or another one.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody answers.
    #[error("the emulated rack does not answer: {0}")]
    Lost(String),
    /// It takes longer than it may; it may still happen.
    #[error("the emulated rack gave no answer within {} s", .0.as_secs())]
    Late(Duration),
    /// It said no, with this status.
    #[error("{1}")]
    Refused(StatusCode, String),
}

/// The control endpoint of a rack.
#[derive(Debug, Clone, Copy)]
pub struct Client {
    at: SocketAddr,
}

impl Client {
    /// Of the rack that answers there.
    pub fn new(at: SocketAddr) -> Client {
        Client { at }
    }

    /// The rack as it stands.
    pub async fn rack(&self) -> Result<RackStatus, Error> {
        self.get("/rack").await
    }

    /// What can be broken, and where.
    pub async fn kinds(&self) -> Result<Vec<FaultKind>, Error> {
        self.get("/kinds").await
    }

    /// Faults that are set.
    pub async fn faults(&self) -> Result<Vec<Fault>, Error> {
        self.get("/faults").await
    }

    /// Sets a fault.
    pub async fn set(&self, fault: &Fault) -> Result<Fault, Error> {
        self.ask(Method::POST, "/faults", Some(fault), PATIENCE).await
    }

    /// Clears a fault, or all.
    pub async fn clear(&self, id: Option<u64>) -> Result<Cleared, Error> {
        let path = id.map_or_else(|| "/faults".to_owned(), |id| format!("/faults/{id}"));
        self.ask(Method::DELETE, &path, None::<&()>, PATIENCE).await
    }

    /// Asks boxes to do something.
    pub async fn load(&self, load: &LoadRequest) -> Result<Loaded, Error> {
        self.ask(Method::PUT, "/load", Some(load), PATIENCE).await
    }

    /// Lets the rack run so many times faster than real.
    pub async fn speed(&self, pace: &PaceStatus) -> Result<PaceStatus, Error> {
        self.ask(Method::PUT, "/speed", Some(pace), PATIENCE).await
    }

    /// Puts the rack forward by so many seconds.
    pub async fn step(&self, pace: &PaceStatus) -> Result<PaceStatus, Error> {
        self.ask(Method::POST, "/step", Some(pace), STEP).await
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        self.ask(Method::GET, path, None::<&()>, PATIENCE).await
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
        patience: Duration,
    ) -> Result<T, Error> {
        let lost = |e: &dyn std::fmt::Display| Error::Lost(e.to_string());
        let body = body.map(serde_json::to_vec).transpose().map_err(|e| lost(&e))?;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(http::header::HOST, self.at.to_string())
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body.unwrap_or_default())))
            .map_err(|e| lost(&e))?;
        let (status, bytes) = tokio::time::timeout(patience, self.exchange(request))
            .await
            .map_err(|_| Error::Late(patience))??;
        if status.is_success() {
            return serde_json::from_slice(&bytes).map_err(|e| lost(&e));
        }
        let said = serde_json::from_slice::<Problem>(&bytes);
        let said = said.map_or_else(|_| String::from_utf8_lossy(&bytes).into_owned(), |p| p.detail);
        Err(Error::Refused(status, said))
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), Error> {
        let lost = |e: &dyn std::fmt::Display| Error::Lost(e.to_string());
        let stream = TcpStream::connect(self.at).await.map_err(|e| lost(&e))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|e| lost(&e))?;
        // ends with its one request: the sender is dropped after it
        let task = tokio::spawn(connection);
        let answer = sender.send_request(request).await.map_err(|e| lost(&e))?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER).collect().await;
        task.abort();
        Ok((status, body.map_err(|e| lost(&e))?.to_bytes()))
    }
}
