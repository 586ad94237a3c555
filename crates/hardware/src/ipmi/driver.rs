//! Which capabilities a BMC of IPMI 2.0 offers, as a [`Driver`]. What one box lacks of them is said by the act itself.

use rack::node::BmcAddress;
use rack::{BootTarget, Reading, ResetKind, Time};

use crate::capability::{
    Accounts, Answer, BootOrder, Cap, Console, ConsoleStream, Driver, EventLog, Indicator, LogEntry, Power, PowerCap,
    Sensors,
};
use crate::found::{Found, Glance, Receipt};
use crate::ipmi::{Ipmi, account, chassis, dcmi, discover, sel, sensors, sol};
use crate::line::Line;
use crate::permit::Permit;

impl Driver for Ipmi {
    fn line(&self) -> &Line {
        &self.client.line
    }

    fn discover(&self) -> Answer<'_, Found> {
        Box::pin(async move {
            let before = self.client.line.requests();
            let identity = self.fresh_identity().await?;
            let repository = self.fresh_repository().await?;
            let mut found = discover::discover(&self.client, identity, &repository).await?;
            found.requests = self.client.line.requests().wrapping_sub(before);
            Ok(found)
        })
    }

    fn power(&self) -> Option<&dyn Power> {
        Some(self)
    }

    fn boot(&self) -> Option<&dyn BootOrder> {
        Some(self)
    }

    fn sensors(&self) -> Option<&dyn Sensors> {
        Some(self)
    }

    fn caps(&self) -> Option<&dyn PowerCap> {
        Some(self)
    }

    fn indicator(&self) -> Option<&dyn Indicator> {
        Some(self)
    }

    fn log(&self) -> Option<&dyn EventLog> {
        Some(self)
    }

    fn accounts(&self) -> Option<&dyn Accounts> {
        Some(self)
    }

    fn console(&self) -> Option<&dyn Console> {
        Some(self)
    }
}

impl Power for Ipmi {
    fn glance<'a>(&'a self, _at: &'a BmcAddress) -> Answer<'a, Glance> {
        Box::pin(async move {
            let status = chassis::status(&self.client).await?;
            let flags = chassis::boot(&self.client).await?;
            Ok(Glance {
                identity: self.identity().await?,
                power: Some(status.power),
                boot: flags.and_then(chassis::BootFlags::target),
                health: status.health,
            })
        })
    }

    fn reset<'a>(&'a self, _at: &'a BmcAddress, kind: ResetKind, permit: &'a Permit) -> Answer<'a, Receipt> {
        Box::pin(chassis::reset(&self.client, kind, permit))
    }

    fn reset_manager<'a>(&'a self, _at: &'a BmcAddress, permit: &'a Permit) -> Answer<'a, Receipt> {
        Box::pin(chassis::reset_manager(&self.client, permit))
    }
}

impl BootOrder for Ipmi {
    fn set_boot<'a>(&'a self, _at: &'a BmcAddress, target: BootTarget, permit: &'a Permit) -> Answer<'a, Receipt> {
        Box::pin(chassis::set_boot(&self.client, target, permit))
    }
}

impl Sensors for Ipmi {
    fn readings<'a>(&'a self, _at: &'a BmcAddress, now: Time) -> Answer<'a, Vec<Reading>> {
        Box::pin(async move {
            let repository = self.repository().await?;
            sensors::readings(&self.client, &repository, now).await
        })
    }
}

impl PowerCap for Ipmi {
    fn caps<'a>(&'a self, _at: &'a BmcAddress) -> Answer<'a, Vec<Cap>> {
        Box::pin(dcmi::caps(&self.client))
    }

    fn set_cap<'a>(
        &'a self,
        _at: &'a BmcAddress,
        id: &'a str,
        watts: Option<f64>,
        permit: &'a Permit,
    ) -> Answer<'a, Receipt> {
        Box::pin(dcmi::set(&self.client, id, watts, permit))
    }
}

impl Indicator for Ipmi {
    fn is_lit<'a>(&'a self, _at: &'a BmcAddress) -> Answer<'a, Option<bool>> {
        Box::pin(async move { Ok(chassis::status(&self.client).await?.lit) })
    }

    fn light<'a>(&'a self, _at: &'a BmcAddress, on: bool, permit: &'a Permit) -> Answer<'a, Receipt> {
        Box::pin(chassis::light(&self.client, on, permit))
    }
}

impl EventLog for Ipmi {
    fn entries<'a>(&'a self, _at: &'a BmcAddress, most: usize) -> Answer<'a, Vec<LogEntry>> {
        Box::pin(async move {
            let repository = self.repository().await?;
            sel::entries(&self.client, &repository.sensors, most).await
        })
    }
}

impl Accounts for Ipmi {
    fn set_password<'a>(&'a self, new: &'a str, permit: &'a Permit) -> Answer<'a, Receipt> {
        Box::pin(account::set_password(&self.client, new, permit))
    }

    fn log_in(&self) -> Answer<'_, ()> {
        Box::pin(async move { chassis::status(&self.client).await.map(drop) })
    }
}

impl Console for Ipmi {
    fn open<'a>(&'a self, _at: &'a BmcAddress, permit: &'a Permit) -> Answer<'a, ConsoleStream> {
        Box::pin(sol::open(self.client.clone(), self.why.clone(), permit))
    }

    fn ended(&self) -> Option<String> {
        self.why.get()
    }
}
