//! What is done to an emulated rack: only the audit log hears of it here; the rack is spoken to by who carries it out.

use rack::request::Who;
use store::Txn;

use crate::House;
use crate::house::HouseError;

/// Longest line of it in the audit log.
const LINE: usize = 300;

impl House {
    /// Writes down what someone does to the emulated rack, before it is done: `fault pull_cable`, about `r1/u3`.
    pub async fn note_lab(&self, who: &Who, about: &str, what: &str) -> Result<(), HouseError> {
        let plain = |text: &str| -> String { text.chars().filter(|c| !c.is_control()).take(LINE).collect() };
        let event = self.audit(who, plain(about), plain(what));
        self.commit(self.tell(Txn::new(), &event)?).await?;
        Ok(())
    }
}
