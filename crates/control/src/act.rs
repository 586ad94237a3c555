//! Does what a step asks for. Every write is in the audit log before it is sent, and none goes to a node that isn't
//! armed (invariant I4).

use std::sync::Arc;
use std::time::Duration;

use hardware::{Driver, Error, Glance, Permit, Receipt};
use plan::lifecycle::{Act, Attempt, Failure, Seen};
use rack::{Event, Health, Level, Machine, Node, NodeId};
use store::Txn;

use crate::House;
use crate::live::Sight;

/// A BMC that was silent for longer may have been away itself, without power or starting: what broke meanwhile, or was mended, no event
/// tells, and its inventory is read again.
const AWAY: Duration = Duration::from_secs(20);
/// A BMC that takes longer for one act than this is as good as silent; the driver's own limits are shorter.
const ACT: Duration = Duration::from_secs(60);
/// The same for what a user wishes of a BMC, which takes it several questions: a permit is for what is done now, not for whenever
/// a slow BMC has answered (invariant I4).
pub(crate) const WISH: Duration = Duration::from_secs(120);
/// A login that does not introduce itself in this time is not there yet.
const PROBE: Duration = Duration::from_secs(3);

impl House {
    /// Does `act` for `machine` on `node`, and notes what came of it.
    pub(crate) async fn act(&self, machine: &Arc<Machine>, node: &Arc<Node>, act: Act, sight: &Sight) {
        match act {
            Act::Look => self.look(node).await,
            Act::Probe => self.probe(node, sight).await,
            Act::Power(_) | Act::Boot(_) | Act::ResetBmc | Act::CycleOutlets => {
                let result = match tokio::time::timeout(ACT, self.write(machine, node, act)).await {
                    Ok(result) => result,
                    Err(_) => Err(Failure {
                        why: format!("no answer in {} s", ACT.as_secs()),
                        again: true,
                    }),
                };
                if let Err(failure) = &result {
                    tracing::warn!(machine = %machine.name, place = %node.place, ?act, why = %failure.why, "an act failed");
                }
                let at = self.now();
                self.inner
                    .live
                    .update(&node.id, |s| s.last = Some(Attempt { act, at, result }));
            }
        }
    }

    /// Looks at a node's BMC, and notes what is seen, or that nothing is.
    pub(crate) async fn look(&self, node: &Node) {
        let result = match self.bmc_of(node).await {
            Ok(bmc) => tokio::time::timeout(ACT, glance(bmc.as_ref(), node))
                .await
                .map_err(|_| format!("no answer in {} s", ACT.as_secs()))
                .and_then(|r| r.map_err(|e| e.to_string())),
            Err(error) => Err(error.to_string()),
        };
        let result = match result {
            Ok(glance) if node.abilities.no_bmc => Ok(Glance {
                power: self.power_around(node).await,
                ..glance
            }),
            other => other,
        };
        let now = self.now();
        let holder = node.holder.clone();
        let mut missed = false;
        let changed = self.inner.live.update(&node.id, |s| match result {
            Ok(glance) => {
                let told = rack::NodeId::from_identity(
                    glance.identity.uuid.as_deref(),
                    glance.identity.maker.as_deref(),
                    glance.identity.serial.as_deref(),
                );
                // A box that never said who it is still doesn't; one that did must go on saying the same.
                // Without a BMC there is nobody to say it: the agent comes up by the MAC that was woken, or not at all.
                let nameless =
                    node.abilities.no_bmc || (node.identity.uuid.is_none() && node.identity.serial.is_none());
                let same = told.map_or(nameless, |id| id == node.id);
                let before = s.view.power;
                if before.is_some() && before != glance.power {
                    s.turned = Some(now);
                }
                s.view.power = glance.power;
                let away = s.view.seen.map_or(Duration::ZERO, |at| now.since(at));
                missed = s.view.silent.is_some() && (away >= AWAY || node.health > Health::Ok);
                s.view.seen = Some(now);
                s.view.silent = None;
                s.seen = Some(Seen {
                    at: now,
                    power: glance.power,
                    same,
                });
                before != glance.power
            }
            Err(why) => unheard(s, why),
        });
        if missed {
            self.inner.live.outdate(&node.bmc.url);
        }
        if let Some(holder) = holder.filter(|_| changed) {
            self.inner.live.wake(&holder);
        }
    }

    /// Notes what an answer that someone asked for says of the BMC: one that did not come says as much as a look does.
    pub(crate) fn heard<T>(&self, node: &Node, answer: Result<T, Error>) -> Result<T, Error> {
        match &answer {
            Err(error @ (Error::Timeout { .. } | Error::Unreachable { .. } | Error::Unauthorized { .. })) => {
                let news = self.inner.live.update(&node.id, |s| unheard(s, error.to_string()));
                if let Some(holder) = node.holder.as_ref().filter(|_| news) {
                    self.inner.live.wake(holder);
                }
            }
            Err(Error::Broken { .. }) => self.inner.live.note(&node.id, |s| s.poked = true),
            _ => {}
        }
        answer
    }

    async fn probe(&self, node: &Node, sight: &Sight) {
        let Some(address) = sight.address else { return };
        let answers = tokio::time::timeout(PROBE, self.inner.env.probe.login(address))
            .await
            .unwrap_or(false);
        if answers {
            let now = self.now();
            self.inner.live.update(&node.id, |s| s.login = Some(now));
        }
    }

    async fn write(&self, machine: &Machine, node: &Node, act: Act) -> Result<(), Failure> {
        let again = |why: String| Failure { why, again: true };
        if !node.armed {
            return Err(again(format!(
                "{} is not armed: busbar arm {}",
                node.place,
                node.place.rack()
            )));
        }
        if act == Act::CycleOutlets {
            return self
                .cycle_outlets_of(node, &machine.status.reason, "busbar")
                .await
                .map_err(|e| again(e.to_string()));
        }
        if let (Act::Power(kind), true) = (act, node.abilities.no_bmc)
            && let Some(done) = self.power_at_outlets(node, kind, &machine.status.reason).await
        {
            return done.map_err(|e| again(e.to_string()));
        }
        let bmc = self.bmc_of(node).await.map_err(|e| again(e.to_string()))?;
        let permit = self
            .permit(
                &node.id,
                node.place.as_ref(),
                describe(act),
                &machine.status.reason,
                "busbar",
            )
            .await
            .map_err(|e| again(e.to_string()))?;
        let sent = match act {
            Act::Power(kind) => match bmc.power() {
                Some(power) => power.reset(&node.bmc, kind, &permit).await,
                None => Err(Error::lacks(bmc.url(), "switching")),
            },
            Act::Boot(target) => match bmc.boot() {
                Some(boot) => boot.set_boot(&node.bmc, target, &permit).await,
                None => Err(Error::lacks(bmc.url(), "a boot override")),
            },
            Act::ResetBmc => match bmc.power() {
                Some(power) => power.reset_manager(&node.bmc, &permit).await,
                None => Err(Error::lacks(bmc.url(), "a restart of itself")),
            },
            Act::Look | Act::Probe | Act::CycleOutlets => return Ok(()),
        };
        match sent {
            Ok(Receipt::Done | Receipt::Accepted { .. }) => Ok(()),
            Ok(Receipt::Blocked { by }) => Err(again(format!("the BMC can't do it now: {by}"))),
            Err(error) => Err(Failure {
                again: error.is_transient(),
                why: error.to_string(),
            }),
        }
    }

    /// Writes an act to the audit log; only then is there a permit to do it.
    pub(crate) async fn permit(
        &self,
        node: &NodeId,
        about: &str,
        what: String,
        because: &str,
        by: &str,
    ) -> Result<Permit, store::Error> {
        let event = Event {
            at: self.now(),
            level: Level::Audit,
            about: about.to_owned(),
            what,
            because: Some(because.to_owned()),
            cause: self.cause_of(node, because),
            by: by.to_owned(),
        };
        let revision = self.commit(self.tell(Txn::new(), &event)?).await?;
        Ok(Permit::recorded(format!("audit@{revision}"), node.clone()))
    }

    /// What told of the state of the machine for which a node is written to: only when that state is the reason.
    fn cause_of(&self, node: &NodeId, because: &str) -> Option<u64> {
        self.record(|r| {
            let holder = r.world.nodes.get(node)?.holder.as_ref()?;
            let machine = r.world.machines.get(holder)?;
            (machine.status.reason == because).then_some(())?;
            let last = plan::events::latest(r.events.iter().rev(), holder.as_str())?;
            Some(last.sequence)
        })
    }
}

/// Notes that a BMC does not answer; says whether that is news.
fn unheard(sight: &mut Sight, why: String) -> bool {
    let news = sight.view.silent.is_none();
    sight.view.silent = Some(why);
    // Unknown is `None`, never the last good value (invariant I7).
    sight.view.power = None;
    news
}

async fn glance(bmc: &dyn Driver, node: &Node) -> Result<Glance, Error> {
    match bmc.power() {
        Some(power) => power.glance(&node.bmc).await,
        None => Err(Error::lacks(bmc.url(), "a look at its power")),
    }
}

/// An act in words.
fn describe(act: Act) -> String {
    match act {
        Act::Power(kind) => format!("reset {kind:?}"),
        Act::Boot(target) => format!("next boot {target:?}"),
        Act::ResetBmc => "reset of the BMC".into(),
        Act::CycleOutlets => "power cut at its outlets".into(),
        Act::Look => "look".into(),
        Act::Probe => "login probe".into(),
    }
}
