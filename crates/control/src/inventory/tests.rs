//! When a service is read whole: in its turn, and out of turn when its BMC says that something changed.

use super::*;

const URL: &str = "https://bmc-u1";
const PERIOD: Duration = Duration::from_secs(6 * 3600);

/// A service that was read before this process began, and what its BMC says.
#[derive(Default)]
struct Told {
    book: Book,
    live: Live,
}

impl Told {
    fn is_due(&self) -> bool {
        is_due(self.book.services.get(URL), PERIOD, true, self.live.is_outdated(URL))
    }

    /// An inventory that takes two seconds; its BMC says something while it is under way, or nothing.
    async fn read(&mut self, answers: bool, meanwhile: bool) {
        let job = Job::Discover(Arc::new(WatchedBmc {
            url: URL.into(),
            rack: "r1".parse().expect("a name"),
            slots: Default::default(),
            credential: crate::rackfile::default_credential(),
            certificate: None,
            outlets: Vec::new(),
        }));
        self.book.begins(&job, &self.live);
        let began = Instant::now();
        tokio::time::advance(Duration::from_secs(1)).await;
        if meanwhile {
            self.live.outdate(URL);
        }
        tokio::time::advance(Duration::from_secs(1)).await;
        if answers {
            self.live.renewed(URL, began);
        }
        self.book.ended(&job);
    }
}

async fn wait(seconds: u64) {
    tokio::time::advance(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn what_its_bmc_says_is_read_at_once_even_when_the_service_was_just_found() {
    let mut told = Told::default();
    assert!(!told.is_due(), "it was read before this process began");
    told.live.outdate(URL);
    assert!(told.is_due());
    wait(1).await;
    told.read(true, false).await;
    assert!(!told.is_due(), "it was read");
    wait(PERIOD.as_secs()).await;
    assert!(told.is_due(), "its turn comes as before");
}

#[tokio::test(start_paused = true)]
async fn what_broke_and_what_is_whole_again_are_both_read_at_once() {
    let mut told = Told::default();
    told.live.outdate(URL);
    wait(1).await;
    told.read(true, true).await;
    assert!(!told.is_due(), "its BMC may still be telling of other parts");
    wait(APART.as_secs()).await;
    assert!(told.is_due(), "what was said meanwhile is not lost");
    told.read(true, false).await;
    wait(APART.as_secs()).await;
    assert!(!told.is_due(), "nothing was said since");
}

#[tokio::test(start_paused = true)]
async fn one_that_never_falls_silent_is_read_once_a_minute() {
    let mut told = Told::default();
    let mut reads = 0;
    for _ in 0..1800 {
        told.live.outdate(URL);
        if told.is_due() {
            reads += 1;
            told.read(true, true).await;
        }
        wait(1).await;
    }
    assert!((28..=33).contains(&reads), "{reads} reads in half an hour");
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_read_is_tried_again() {
    let mut told = Told::default();
    told.live.outdate(URL);
    wait(1).await;
    told.read(false, false).await;
    assert!(!told.is_due());
    wait(APART.as_secs()).await;
    assert!(told.is_due());
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_comes_by_itself_takes_what_was_said_with_it() {
    let mut told = Told::default();
    told.read(true, false).await;
    told.live.outdate(URL);
    wait(1).await;
    told.read(true, false).await;
    assert!(!told.is_due());
    told.live.keep_services(|_| false);
    told.live.outdate(URL);
    told.live.keep_services(|url| url != URL);
    assert!(!told.live.is_outdated(URL), "a service that is gone");
}
