//! A data hall of emulated BMCs: racks of compute trays with two DPUs each, switch trays and power shelves, 71 BMCs a rack.
//!
//! The documents of a kind are there once ([`kind`]); a BMC is its place and what was changed on it, and fills in the rest
//! when it answers ([`bay`]). All of them answer on one listener, which knows them apart by the address that was called:
//! 127.20.R.U is BMC U of rack R. Readings come from a plant for each rack ([`plants`]). Faults hit them as they do other
//! boxes, by name: `r1/c3-dpu1`.

mod bay;
mod control;
pub mod kind;
pub mod layout;
mod plants;

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::Request;
use tokio::task::JoinSet;

use crate::config::{Clock, Credential, StartError};
use crate::faults::{Action, Fault, Faults};
use crate::harm::{self, BadFault};
use crate::redfish::closed;
use crate::serve::{self, Gate, Peer};
use crate::tree::{Options, Tree};
pub use kind::{Kind, Shapes};
use layout::At;
pub use layout::{Layout, TooMany};
pub use plants::BadPlant;

/// What a hall is started with.
#[derive(Clone)]
pub struct Config {
    /// How many BMCs there are, and in which racks.
    pub layout: Layout,
    /// The port that all of them answer on.
    pub port: u16,
    /// HTTPS, with a certificate made now.
    pub tls: bool,
    /// What is let in; anyone when absent.
    pub credential: Option<Credential>,
    /// How many times faster than real resets take place and racks warm up.
    pub speed: f64,
    /// Wall time.
    pub clock: Clock,
    /// For how long a connection is kept on which nothing is asked: lighttpd, which many BMCs have, closes it after 5 s,
    /// others after 15 s and more.
    pub idle: Duration,
    /// Where faults are set: on loopback.
    pub control: Option<SocketAddr>,
}

/// A hall.
pub struct Hall {
    layout: Layout,
    shapes: Shapes,
    boxes: Vec<Arc<Tree>>,
    faults: Arc<Faults>,
    common: Arc<bay::Common>,
}

impl Hall {
    /// Builds it without any socket.
    pub fn build(config: &Config) -> Result<Arc<Hall>, StartError> {
        let shapes = Shapes::read()?;
        let faults: Arc<Faults> = Arc::default();
        let layout = config.layout;
        let common = Arc::new(bay::Common {
            user: config.credential.as_ref().map(|c| c.user.clone()),
            clock: config.clock.clone(),
            plants: plants::Plants::new(layout, config.speed)?,
        });
        let options = Arc::new(Options {
            credential: config.credential.clone(),
            speed: config.speed,
            faults: Arc::clone(&faults),
            clock: config.clock.clone(),
        });
        let boxes = layout.bays().map(|at| {
            let name = at.name();
            let fill = bay::Bay::new(at, Arc::clone(&common));
            let shape = Arc::clone(shapes.of(at.kind));
            Arc::new(Tree::of(&name, shape, Some(Box::new(fill)), Arc::clone(&options)))
        });
        let boxes = boxes.collect();
        Ok(Arc::new(Hall {
            layout,
            shapes,
            boxes,
            faults,
            common,
        }))
    }

    /// The faults that are set.
    pub fn faults(&self) -> Vec<Fault> {
        self.faults.list()
    }

    /// Sets a fault, and does it if it is one of the racks' plants.
    pub fn set_fault(&self, fault: Fault) -> Result<Fault, BadFault> {
        if let Some(word) = fault.action.inside_machine() {
            let why = "boxes of a hall run no firmware, agent or system; `busbar up --emulate` has some that do";
            return Err(BadFault::NotHere(word, why));
        }
        harm::set(&self.faults, fault, |fault, on| self.common.plants.harm(fault, on))
    }

    /// Clears one fault, or all, and undoes what they did to the plants; says how many.
    pub fn clear_faults(&self, id: Option<u64>) -> usize {
        harm::clear(&self.faults, id, |fault, on| self.common.plants.harm(fault, on)).0
    }

    /// What a fault names: boxes that answer, and of a fault of plants what stands in those.
    pub fn hit(&self, fault: &Fault) -> Vec<String> {
        let mut hit: Vec<String> = match fault.action.physical() {
            true => self.common.plants.names(fault),
            false => {
                let names = self.boxes.iter().map(|tree| tree.name());
                names.filter(|n| fault.on.names(n)).map(str::to_owned).collect()
            }
        };
        hit.sort();
        hit
    }

    /// Whether a box answers: its plant gives it power. What its plant has switched off is off for it too.
    fn answers(&self, index: usize) -> bool {
        let Some(stand) = self.common.plants.stand(At::of(index as u32)) else {
            return true;
        };
        if stand.lit && stand.on == Some(false) {
            self.boxes[index].went_off();
        }
        stand.lit
    }

    /// Its boxes, rack by rack.
    pub fn boxes(&self) -> &[Arc<Tree>] {
        &self.boxes
    }

    /// What its boxes share.
    pub fn shapes(&self) -> &Shapes {
        &self.shapes
    }

    /// The box that answers at an address.
    pub fn at(&self, address: IpAddr) -> Option<&Arc<Tree>> {
        self.boxes.get(self.index_at(address)?)
    }

    fn index_at(&self, address: IpAddr) -> Option<usize> {
        let IpAddr::V4(address) = address else { return None };
        self.layout.index_at(address)
    }

    /// Answers on its sockets until the handle is stopped or dropped.
    pub async fn start(config: Config) -> Result<Handle, StartError> {
        let places = serve::places(config.layout.bmcs())?;
        let hall = Hall::build(&config)?;
        let tls = config.tls.then(|| serve::certificate(None)).transpose()?;
        let tls = tls.map(serve::resumable).transpose()?;
        let (listeners, port) = serve::listen(config.port, &hall.layout.addresses())?;
        let mut tasks = JoinSet::new();
        let router = router(Arc::clone(&hall));
        let many = serve::Many {
            places,
            gate: Arc::clone(&hall) as Arc<dyn Gate>,
            frugal: Some(config.idle),
        };
        for listener in listeners {
            tasks.spawn(serve::serve_many(listener, tls.clone(), router.clone(), many.clone()));
        }
        let control = match config.control {
            None => None,
            Some(at) => {
                let failed = |source| StartError::Listen { at, source };
                let listener = tokio::net::TcpListener::bind(at).await.map_err(failed)?;
                let at = listener.local_addr().map_err(failed)?;
                let router = control::router(Arc::clone(&hall));
                tasks.spawn(serve::serve(listener, None, router));
                Some(at)
            }
        };
        Ok(Handle {
            hall,
            port,
            control,
            _tasks: tasks,
        })
    }
}

impl Gate for Hall {
    fn silent(&self, peer: &Peer) -> Option<crate::net::Future<'_, ()>> {
        let name = self.at(peer.local.ip())?.name();
        self.faults.vanished(name).then(|| {
            let gone: crate::net::Future<'_, ()> = Box::pin(self.faults.lasts(name, |a| *a == Action::Vanish));
            gone
        })
    }
}

/// A hall that answers.
pub struct Handle {
    /// The hall.
    pub hall: Arc<Hall>,
    /// The port that its BMCs answer on.
    pub port: u16,
    /// Where faults are set.
    pub control: Option<SocketAddr>,
    /// Dropped with the handle: the listeners close.
    _tasks: JoinSet<()>,
}

impl Handle {
    /// What `busbar up --rack` is told of each rack: its name, and the text of its file.
    pub fn rack_files(&self, tls: bool) -> Vec<(String, String)> {
        let scheme = if tls { "https" } else { "http" };
        let mut files: Vec<(String, String)> = Vec::new();
        for at in self.hall.layout.bays() {
            let name = at.rack_name();
            if files.last().is_none_or(|(last, _)| *last != name) {
                files.push((
                    name.clone(),
                    format!("[rack]\nname = \"{name}\"\ncredential = \"hall\"\n"),
                ));
            }
            if let Some((_, text)) = files.last_mut() {
                // writing to a string can't fail
                let _ = write!(
                    text,
                    "\n[[bmc]]\naddress = \"{scheme}://{}:{}\"\nslot = \"{}\"\n",
                    at.address(),
                    self.port,
                    at.slot()
                );
            }
        }
        files
    }
}

/// The routes of all boxes.
pub fn router(hall: Arc<Hall>) -> Router {
    Router::new().fallback(answer).with_state(hall)
}

async fn answer(State(hall): State<Arc<Hall>>, request: Request<Body>) -> Response {
    let called = request.extensions().get::<Peer>().map(|p| p.local.ip());
    match called.and_then(|at| hall.index_at(at)) {
        Some(index) if hall.answers(index) => crate::tree::answer(State(Arc::clone(&hall.boxes[index])), request).await,
        _ => closed(),
    }
}
