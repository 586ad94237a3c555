//! What stands where in a hall: which box the n-th BMC is, what it is called, and at which address it answers.

use std::net::Ipv4Addr;

use super::Kind;

/// Compute trays of a rack, each with [`DPUS`].
pub const COMPUTE: u32 = 18;
/// DPUs of a compute tray.
pub const DPUS: u32 = 2;
/// Switch trays of a rack.
pub const SWITCHES: u32 = 9;
/// Power shelves of a rack.
pub const SHELVES: u32 = 8;
/// BMCs of a rack.
pub const RACK: u32 = COMPUTE * (1 + DPUS) + SWITCHES + SHELVES;
/// First network of the hall's addresses, 127.20.0.0/16; as many racks in each.
const NETWORK: u8 = 20;
const RACKS_IN_NETWORK: u32 = 250;
/// Networks that there are.
const NETWORKS: u32 = 200;
/// Most BMCs that addresses can tell apart.
pub const MOST: u32 = RACK * RACKS_IN_NETWORK * NETWORKS;

/// How large a hall is. The last rack may not be full: trays come first, each with its DPUs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    bmcs: u32,
}

/// A hall that is too large.
#[derive(Debug, thiserror::Error)]
#[error("{0} BMCs can't be told apart by their addresses: ask for 1 to {MOST}")]
pub struct TooMany(u32);

/// One BMC's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At {
    /// Its number in the hall, from 0.
    pub index: u32,
    /// Its rack, from 1.
    pub rack: u32,
    /// Its number in the rack, from 1.
    pub unit: u32,
    /// What it manages.
    pub kind: Kind,
    /// Which of its kind in the rack, from 1; of a DPU, the tray that it is in.
    pub number: u32,
    /// Which DPU of the tray, from 1; 0 for what is none.
    pub dpu: u32,
}

impl Layout {
    /// So many BMCs, in as many racks as that takes.
    pub fn of(bmcs: u32) -> Result<Layout, TooMany> {
        match bmcs {
            1..=MOST => Ok(Layout { bmcs }),
            _ => Err(TooMany(bmcs)),
        }
    }

    /// How many BMCs there are.
    pub fn bmcs(self) -> u32 {
        self.bmcs
    }

    /// How many racks there are.
    pub fn racks(self) -> u32 {
        self.bmcs.div_ceil(RACK)
    }

    /// Every BMC, rack by rack.
    pub fn bays(self) -> impl Iterator<Item = At> {
        (0..self.bmcs).map(At::of)
    }

    /// Every address, in the same order.
    pub fn addresses(self) -> Vec<Ipv4Addr> {
        self.bays().map(At::address).collect()
    }

    /// Which BMC answers at an address.
    pub fn index_at(self, address: Ipv4Addr) -> Option<usize> {
        let [127, network, rack, unit] = address.octets() else {
            return None;
        };
        let network = u32::from(network.checked_sub(NETWORK)?);
        let (rack, unit) = (u32::from(rack).checked_sub(1)?, u32::from(unit).checked_sub(1)?);
        if network >= NETWORKS || rack >= RACKS_IN_NETWORK || unit >= RACK {
            return None;
        }
        let index = (network * RACKS_IN_NETWORK + rack) * RACK + unit;
        (index < self.bmcs).then_some(index as usize)
    }

    /// Which BMC has a name: `r12/c7-dpu1`.
    pub fn index_of(self, name: &str) -> Option<u32> {
        let (rack, slot) = name.split_once('/')?;
        let rack: u32 = rack.strip_prefix('r')?.parse().ok()?;
        let first = rack.checked_sub(1)?.checked_mul(RACK)?;
        let last = first.checked_add(RACK)?.min(self.bmcs);
        (first..last).find(|i| At::of(*i).slot() == slot)
    }
}

impl At {
    /// The place of the n-th BMC.
    pub fn of(index: u32) -> At {
        let (rack, unit) = (index / RACK + 1, index % RACK);
        let trays = COMPUTE * (1 + DPUS);
        let (kind, number, dpu) = match unit {
            u if u < trays => match u % (1 + DPUS) {
                0 => (Kind::ComputeTray, u / (1 + DPUS) + 1, 0),
                dpu => (Kind::Dpu, u / (1 + DPUS) + 1, dpu),
            },
            u if u < trays + SWITCHES => (Kind::SwitchTray, u - trays + 1, 0),
            u => (Kind::PowerShelf, u - trays - SWITCHES + 1, 0),
        };
        At {
            index,
            rack,
            unit: unit + 1,
            kind,
            number,
            dpu,
        }
    }

    /// `r12`.
    pub fn rack_name(self) -> String {
        format!("r{}", self.rack)
    }

    /// `c7`, `c7-dpu1`, `s3`, `p8`.
    pub fn slot(self) -> String {
        match self.kind {
            Kind::ComputeTray => format!("c{}", self.number),
            Kind::Dpu => format!("c{}-dpu{}", self.number, self.dpu),
            Kind::SwitchTray => format!("s{}", self.number),
            Kind::PowerShelf => format!("p{}", self.number),
        }
    }

    /// `r12/c7-dpu1`.
    pub fn name(self) -> String {
        format!("{}/{}", self.rack_name(), self.slot())
    }

    /// The tray that a DPU is in; any other box is its own.
    pub fn tray(self) -> At {
        At::of(self.index - self.dpu)
    }

    /// Where it answers.
    pub fn address(self) -> Ipv4Addr {
        let rack = self.rack - 1;
        let octet = |n: u32| u8::try_from(n).unwrap_or(u8::MAX);
        Ipv4Addr::new(
            127,
            NETWORK.saturating_add(octet(rack / RACKS_IN_NETWORK)),
            octet(rack % RACKS_IN_NETWORK + 1),
            octet(self.unit),
        )
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_rack_has_71_bmcs_and_every_one_an_address_and_a_name_of_its_own() {
        let hall = Layout::of(17_750).unwrap();
        assert_eq!((RACK, hall.racks()), (71, 250));
        let addresses: HashSet<Ipv4Addr> = hall.addresses().into_iter().collect();
        let names: HashSet<String> = hall.bays().map(At::name).collect();
        assert_eq!((addresses.len(), names.len()), (17_750, 17_750));
        for at in hall.bays().step_by(97) {
            assert_eq!(hall.index_at(at.address()), Some(at.index as usize));
            assert_eq!(hall.index_of(&at.name()), Some(at.index));
        }
        let of = |kind| hall.bays().take(71).filter(|a| a.kind == kind).count();
        let kinds = [Kind::ComputeTray, Kind::Dpu, Kind::SwitchTray, Kind::PowerShelf];
        assert_eq!(kinds.map(of), [18, 36, 9, 8]);
    }

    #[test]
    fn no_address_beyond_the_hall_is_answered_at() {
        let hall = Layout::of(72).unwrap();
        for (address, want) in [
            ([127, 20, 2, 1], Some(71)),
            ([127, 20, 2, 2], None),
            ([127, 20, 0, 1], None),
            ([127, 20, 1, 0], None),
            ([127, 20, 1, 72], None),
            ([127, 19, 1, 1], None),
            ([127, 255, 250, 71], None),
            ([10, 20, 1, 1], None),
        ] {
            assert_eq!(hall.index_at(address.into()), want, "{address:?}");
        }
        assert!(Layout::of(0).is_err() && Layout::of(MOST + 1).is_err());
        // the last one of all still has an address
        let last = At::of(MOST - 1);
        assert_eq!(
            Layout::of(MOST).unwrap().index_at(last.address()),
            Some(MOST as usize - 1)
        );
    }

    #[test]
    fn a_dpu_knows_its_tray() {
        let at = At::of(71 + 4);
        assert_eq!(
            (at.name(), at.tray().name()),
            ("r2/c2-dpu1".to_owned(), "r2/c2".to_owned())
        );
    }
}
