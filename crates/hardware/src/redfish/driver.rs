//! Which capabilities a Redfish service offers, as a [`Driver`]. What a service lacks of one is said by the act itself.

use rack::node::BmcAddress;
use rack::{BootTarget, Reading, ResetKind, Time};

use crate::capability::{Answer, BootOrder, Driver, EventStream, Events, Power, Sensors, VirtualMedia};
use crate::found::{Contact, Found, Glance, Receipt};
use crate::permit::{Mode, Permit};
use crate::redfish::Redfish;

impl Driver for Redfish {
    fn url(&self) -> &str {
        self.client.url()
    }

    fn mode(&self) -> Mode {
        self.client.mode()
    }

    fn set_mode(&self, mode: Mode) {
        self.client.set_mode(mode);
    }

    fn requests(&self) -> u32 {
        self.client.requests()
    }

    fn contact(&self) -> Contact {
        self.client.contact()
    }

    fn discover(&self) -> Answer<'_, Found> {
        Box::pin(Redfish::discover(self))
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

    fn media(&self) -> Option<&dyn VirtualMedia> {
        Some(self)
    }

    fn events(&self) -> Option<&dyn Events> {
        Some(self)
    }
}

impl Power for Redfish {
    fn glance<'a>(&'a self, at: &'a BmcAddress) -> Answer<'a, Glance> {
        Box::pin(Redfish::glance(self, at))
    }

    fn reset<'a>(&'a self, at: &'a BmcAddress, kind: ResetKind, permit: &'a Permit) -> Answer<'a, Receipt> {
        Box::pin(Redfish::reset(self, at, kind, permit))
    }

    fn reset_manager<'a>(&'a self, at: &'a BmcAddress, permit: &'a Permit) -> Answer<'a, Receipt> {
        Box::pin(Redfish::reset_manager(self, at, permit))
    }
}

impl BootOrder for Redfish {
    fn set_boot<'a>(&'a self, at: &'a BmcAddress, target: BootTarget, permit: &'a Permit) -> Answer<'a, Receipt> {
        Box::pin(Redfish::set_boot(self, at, target, permit))
    }
}

impl Sensors for Redfish {
    fn readings<'a>(&'a self, at: &'a BmcAddress, now: Time) -> Answer<'a, Vec<Reading>> {
        Box::pin(Redfish::readings(self, at, now))
    }
}

impl VirtualMedia for Redfish {
    fn insert<'a>(&'a self, at: &'a BmcAddress, url: &'a str, permit: &'a Permit) -> Answer<'a, Receipt> {
        Box::pin(self.insert_media(at, url, permit))
    }

    fn eject<'a>(&'a self, at: &'a BmcAddress, url: &'a str, permit: &'a Permit) -> Answer<'a, Receipt> {
        Box::pin(self.eject_media(at, url, permit))
    }
}

impl Events for Redfish {
    fn stream<'a>(&'a self, last: Option<&'a str>) -> Answer<'a, EventStream> {
        Box::pin(async move {
            let stream = Redfish::events(self, last).await?;
            Ok(Box::pin(stream) as EventStream)
        })
    }
}
