//! Which capabilities a Redfish service offers, as a [`Driver`]. What a service lacks of one is said by the act itself.

use std::collections::BTreeMap;

use rack::node::{BmcAddress, Firmware};
use rack::{BootTarget, Reading, ResetKind, Time};

use crate::capability::{
    Accounts, Answer, Bios, BiosSettings, BootOrder, Cap, Console, Driver, EventLog, EventStream, Events,
    FirmwareImage, FirmwareUpdate, Indicator, LogEntry, OutletOrder, Outlets, Power, PowerCap, Sensors, VirtualMedia,
};
use crate::found::{Found, Glance, Outlet, Receipt, TaskState};
use crate::line::Line;
use crate::permit::Permit;
use crate::redfish::Redfish;

impl Driver for Redfish {
    fn line(&self) -> &Line {
        &self.client.line
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

    fn caps(&self) -> Option<&dyn PowerCap> {
        Some(self)
    }

    fn indicator(&self) -> Option<&dyn Indicator> {
        Some(self)
    }

    fn log(&self) -> Option<&dyn EventLog> {
        Some(self)
    }

    fn bios(&self) -> Option<&dyn Bios> {
        Some(self)
    }

    fn firmware(&self) -> Option<&dyn FirmwareUpdate> {
        Some(self)
    }

    fn accounts(&self) -> Option<&dyn Accounts> {
        Some(self)
    }

    fn console(&self) -> Option<&dyn Console> {
        Some(self)
    }

    fn outlets(&self) -> Option<&dyn Outlets> {
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

impl PowerCap for Redfish {
    fn caps<'a>(&'a self, at: &'a BmcAddress) -> Answer<'a, Vec<Cap>> {
        Box::pin(Redfish::caps(self, at))
    }

    fn set_cap<'a>(
        &'a self,
        at: &'a BmcAddress,
        id: &'a str,
        watts: Option<f64>,
        permit: &'a Permit,
    ) -> Answer<'a, Receipt> {
        Box::pin(Redfish::set_cap(self, at, id, watts, permit))
    }
}

impl Indicator for Redfish {
    fn is_lit<'a>(&'a self, at: &'a BmcAddress) -> Answer<'a, Option<bool>> {
        Box::pin(Redfish::is_lit(self, at))
    }

    fn light<'a>(&'a self, at: &'a BmcAddress, on: bool, permit: &'a Permit) -> Answer<'a, Receipt> {
        Box::pin(Redfish::light(self, at, on, permit))
    }
}

impl EventLog for Redfish {
    fn entries<'a>(&'a self, at: &'a BmcAddress, most: usize) -> Answer<'a, Vec<LogEntry>> {
        Box::pin(self.log_entries(at, most))
    }
}

impl Bios for Redfish {
    fn settings<'a>(&'a self, at: &'a BmcAddress) -> Answer<'a, BiosSettings> {
        Box::pin(self.bios_settings(at))
    }

    fn set<'a>(
        &'a self,
        at: &'a BmcAddress,
        wanted: &'a BTreeMap<String, serde_json::Value>,
        permit: &'a Permit,
    ) -> Answer<'a, Receipt> {
        Box::pin(self.set_bios(at, wanted, permit))
    }
}

impl FirmwareUpdate for Redfish {
    fn versions(&self) -> Answer<'_, Vec<Firmware>> {
        Box::pin(self.firmware_versions())
    }

    fn update<'a>(
        &'a self,
        image: &'a FirmwareImage,
        targets: &'a [String],
        permit: &'a Permit,
    ) -> Answer<'a, Receipt> {
        Box::pin(self.update_firmware(image, targets, permit))
    }

    fn task<'a>(&'a self, uri: &'a str) -> Answer<'a, TaskState> {
        Box::pin(Redfish::task(self, uri))
    }
}

impl Accounts for Redfish {
    fn set_password<'a>(&'a self, new: &'a str, permit: &'a Permit) -> Answer<'a, Receipt> {
        Box::pin(Redfish::set_password(self, new, permit))
    }

    fn log_in(&self) -> Answer<'_, ()> {
        Box::pin(async move { self.accounts_path().await.map(drop) })
    }
}

impl Outlets for Redfish {
    fn outlets<'a>(&'a self, path: &'a str) -> Answer<'a, Vec<Outlet>> {
        Box::pin(Redfish::outlets(self, path))
    }

    fn switch<'a>(&'a self, path: &'a str, id: &'a str, order: OutletOrder, permit: &'a Permit) -> Answer<'a, Receipt> {
        Box::pin(self.switch_outlet(path, id, order, permit))
    }
}
