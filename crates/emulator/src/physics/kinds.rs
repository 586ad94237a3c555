//! The kinds of boxes that a rack is described with, and what was measured of them. Watts, °C, K/W at full flow, J/K.

use super::chip::ChipKind;

/// How heat leaves a box's chips; the rest of a box is cooled by air, unless it lies in a tank.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cooled {
    /// By the box's own fans.
    Air,
    /// By cold plates; so many litres a minute at the loop's whole flow.
    Plates(f64),
    /// All of it lies in fluid.
    Tank,
}

/// How a box makes its inner voltage: `input = (output + fixed) / gain` in each supply.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SupplyKind {
    /// How many.
    pub count: u8,
    /// What each can give.
    pub capacity: f64,
    /// Loss without load.
    pub fixed: f64,
    /// 1 less the loss that goes with load.
    pub gain: f64,
    /// Milliseconds that it goes on without input.
    pub hold_up: f64,
    /// Share of the load that the first one takes when all are fed; the others take the rest in equal parts.
    pub first: f64,
}

/// A kind of box.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Kind {
    /// As descriptions name it.
    pub name: &'static str,
    /// What it is, for people.
    pub about: &'static str,
    /// Processors, of this kind.
    pub cpus: u8,
    /// See `cpus`.
    pub cpu: ChipKind,
    /// Accelerators (or switch chips), of this kind.
    pub gpus: u8,
    /// See `gpus`.
    pub gpu: ChipKind,
    /// Boards, drives, adapters.
    pub board: f64,
    /// What load adds to them.
    pub board_load: f64,
    /// Memory modules, idle; they are part of neither.
    pub dimms: f64,
    /// What load adds to them.
    pub dimms_load: f64,
    /// At the wall while it is off.
    pub standby: f64,
    /// Boards above the air that passes them, at full flow.
    pub board_kelvin: f64,
    /// Heat capacity of boards and sheet metal.
    pub board_store: f64,
    /// Fans.
    pub fans: u8,
    /// All of them at full speed.
    pub fan_watts: f64,
    /// Their full speed.
    pub fan_rpm: f64,
    /// Slowest, as a share of it.
    pub fan_least: f64,
    /// Air at full speed, m³/s.
    pub air: f64,
    /// Share of that which moves by itself.
    pub still: f64,
    /// Share of its own hot aisle's air that it draws in.
    pub recirculation: f64,
    /// Processor temperatures at which fans leave their least and reach their full speed.
    pub cpu_ramp: (f64, f64),
    /// The same for accelerators.
    pub gpu_ramp: (f64, f64),
    /// Share of the processors' warm air that passes the accelerators.
    pub gpu_behind: f64,
    /// Inlet air at which it is told critical, and at which it switches itself off.
    pub inlet: (f64, f64),
    /// Its supplies.
    pub supply: SupplyKind,
    /// How heat leaves its chips.
    pub cooled: Cooled,
}

const NO_CHIP: ChipKind = ChipKind {
    idle: 0.0,
    full: 0.0,
    caps: (0.0, 0.0),
    junction: 0.1,
    sink: 0.1,
    die_store: 60.0,
    sink_store: 300.0,
    most: 95.0,
    slowdown: 100.0,
    shutdown: 110.0,
    memory: 0.0,
};

/// A server processor of 250 W.
const XEON: ChipKind = ChipKind {
    idle: 30.0,
    full: 240.0,
    caps: (80.0, 240.0),
    junction: 0.06,
    sink: 0.10,
    die_store: 40.0,
    sink_store: 600.0,
    most: 90.0,
    slowdown: 95.0,
    shutdown: 105.0,
    memory: 0.0,
};

/// NVIDIA H100 SXM: 87 most, 89 slowdown, 92 shutdown (public `nvidia-smi -q`); DGX H100: 72-76 W idle.
pub const H100: ChipKind = ChipKind {
    idle: 74.0,
    full: 700.0,
    caps: (200.0, 700.0),
    junction: 0.035,
    sink: 0.045,
    die_store: 60.0,
    sink_store: 900.0,
    most: 87.0,
    slowdown: 89.0,
    shutdown: 92.0,
    memory: 0.012,
};

/// H200 SXM: 627 W of 700 and 52 °C under load, which its sink must be better for than the H100's.
pub const H200: ChipKind = ChipKind {
    full: 627.0,
    junction: 0.018,
    sink: 0.026,
    ..H100
};

/// A100 PCIe without fans of its own, 300 W: 85 most, 89, 92.
pub const A100_PCIE: ChipKind = ChipKind {
    idle: 45.0,
    full: 300.0,
    caps: (150.0, 300.0),
    junction: 0.07,
    sink: 0.085,
    die_store: 60.0,
    sink_store: 500.0,
    most: 85.0,
    slowdown: 89.0,
    shutdown: 92.0,
    memory: 0.03,
};

/// A Blackwell GPU of a GB200 on its cold plate: 1,200 W; without flow the plate warms by 1.3 K/s for each kilowatt.
const GB200: ChipKind = ChipKind {
    idle: 170.0,
    full: 1200.0,
    caps: (300.0, 1200.0),
    junction: 0.018,
    sink: 0.012,
    die_store: 120.0,
    sink_store: 650.0,
    most: 87.0,
    slowdown: 89.0,
    shutdown: 92.0,
    memory: 0.006,
};

/// A Grace CPU on a cold plate.
const GRACE: ChipKind = ChipKind {
    idle: 60.0,
    full: 300.0,
    caps: (100.0, 300.0),
    junction: 0.05,
    sink: 0.04,
    die_store: 60.0,
    sink_store: 400.0,
    ..XEON
};

/// An NVLink switch chip on a cold plate.
const NVSWITCH: ChipKind = ChipKind {
    idle: 200.0,
    full: 400.0,
    caps: (400.0, 400.0),
    junction: 0.04,
    sink: 0.03,
    die_store: 60.0,
    sink_store: 400.0,
    most: 95.0,
    slowdown: 100.0,
    shutdown: 110.0,
    memory: 0.0,
};

const AC: SupplyKind = SupplyKind {
    count: 2,
    capacity: 1400.0,
    fixed: 17.0,
    gain: 0.96,
    hold_up: 12.0,
    first: 0.5,
};

/// From 48 V to 12 V inside a tray (RAPS: `(p + 13)/0.98`).
const FROM_48: SupplyKind = SupplyKind {
    count: 1,
    capacity: 9000.0,
    fixed: 13.0,
    gain: 0.98,
    hold_up: 1.0,
    first: 1.0,
};

/// A two-socket server: Dell R750 (0.085 m³/s at 18,600 rpm; 614 W and 6 K).
pub const SERVER_2S: Kind = Kind {
    name: "server-2s",
    about: "two-socket server, air, two supplies",
    cpus: 2,
    cpu: XEON,
    gpus: 0,
    gpu: H100,
    board: 88.0,
    board_load: 0.0,
    dimms: 32.0,
    dimms_load: 0.0,
    standby: 12.0,
    board_kelvin: 0.06,
    board_store: 6000.0,
    fans: 4,
    fan_watts: 90.0,
    fan_rpm: 18_600.0,
    fan_least: 0.25,
    air: 0.085,
    still: 0.03,
    recirculation: 0.03,
    cpu_ramp: (48.0, 78.0),
    gpu_ramp: (60.0, 80.0),
    gpu_behind: 0.5,
    inlet: (42.0, 47.0),
    supply: AC,
    cooled: Cooled::Air,
};

/// HPE DL385: 277 + 254 W at its supplies; inlet critical at 42, fatal at 47 °C.
pub const DL385: Kind = Kind {
    name: "dl385",
    about: "two-socket server whose first supply takes more of the load",
    supply: SupplyKind {
        // 277 W and 254 W in: 248.9 and 226.8 W out
        first: 0.5232,
        ..AC
    },
    ..SERVER_2S
};

/// The same without a BMC.
pub const SERVER_BARE: Kind = Kind {
    name: "server-bare",
    about: "two-socket server without a BMC",
    standby: 2.0,
    ..SERVER_2S
};

/// Eight accelerators and two processors: DGX H100 (10.2 kW, six supplies of 3.3 kW, told as two banks of three).
pub const SERVER_8GPU: Kind = Kind {
    name: "server-8gpu",
    about: "8 GPUs of 700 W (H100), air",
    gpus: 8,
    board: 600.0,
    board_load: 700.0,
    dimms: 100.0,
    dimms_load: 100.0,
    standby: 60.0,
    board_kelvin: 0.012,
    board_store: 30_000.0,
    fans: 12,
    fan_watts: 1100.0,
    fan_rpm: 15_000.0,
    fan_least: 0.25,
    air: 0.52,
    gpu_ramp: (55.0, 78.0),
    gpu_behind: 0.15,
    supply: SupplyKind {
        capacity: 9900.0,
        fixed: 51.0,
        ..AC
    },
    ..SERVER_2S
};

/// The same with H200.
pub const SERVER_8H200: Kind = Kind {
    name: "server-8h200",
    about: "8 GPUs of 700 W (H200), air",
    gpu: H200,
    gpu_ramp: (40.0, 54.0),
    ..SERVER_8GPU
};

/// A two-socket server with accelerators that have no fans.
pub const SERVER_PCIE: Kind = Kind {
    name: "server-4a100",
    about: "4 passive A100 PCIe of 300 W, air",
    gpus: 4,
    gpu: A100_PCIE,
    board: 120.0,
    fans: 6,
    fan_watts: 220.0,
    air: 0.16,
    gpu_ramp: (50.0, 74.0),
    gpu_behind: 0.2,
    supply: SupplyKind { capacity: 2400.0, ..AC },
    ..SERVER_2S
};

/// A small box of a home lab: Intel N100, a brick for a supply.
pub const N100: Kind = Kind {
    name: "n100",
    about: "small box, 6-25 W, one brick",
    cpus: 1,
    cpu: ChipKind {
        idle: 2.5,
        full: 20.0,
        caps: (6.0, 20.0),
        junction: 0.7,
        sink: 0.9,
        die_store: 8.0,
        sink_store: 120.0,
        most: 100.0,
        slowdown: 102.0,
        shutdown: 108.0,
        memory: 0.0,
    },
    board: 3.5,
    dimms: 1.0,
    dimms_load: 1.0,
    standby: 1.0,
    board_kelvin: 1.0,
    board_store: 400.0,
    fans: 1,
    fan_watts: 1.2,
    fan_rpm: 4500.0,
    fan_least: 0.2,
    air: 0.004,
    still: 0.15,
    recirculation: 0.05,
    cpu_ramp: (50.0, 85.0),
    inlet: (45.0, 60.0),
    supply: SupplyKind {
        count: 1,
        capacity: 65.0,
        fixed: 0.6,
        gain: 0.89,
        hold_up: 10.0,
        first: 1.0,
    },
    ..SERVER_2S
};

/// A compute tray of a GB200 NVL72: four GPUs and two processors on plates, the rest in air, from 48 V.
pub const GB200_TRAY: Kind = Kind {
    name: "gb200-compute",
    about: "GB200 compute tray: 4 GPUs of 1,200 W and 2 CPUs on cold plates",
    cpu: GRACE,
    gpus: 4,
    gpu: GB200,
    board: 250.0,
    board_load: 150.0,
    dimms: 40.0,
    dimms_load: 40.0,
    standby: 45.0,
    board_kelvin: 0.03,
    board_store: 8000.0,
    fans: 8,
    fan_watts: 60.0,
    fan_rpm: 20_000.0,
    fan_least: 0.3,
    air: 0.04,
    gpu_ramp: (70.0, 88.0),
    supply: FROM_48,
    cooled: Cooled::Plates(9.0),
    ..SERVER_2S
};

/// A switch tray of it.
pub const NVLINK_TRAY: Kind = Kind {
    name: "nvlink-switch",
    about: "NVLink switch tray: 2 chips on cold plates",
    cpus: 0,
    cpu: NO_CHIP,
    gpus: 2,
    gpu: NVSWITCH,
    board: 120.0,
    board_load: 60.0,
    dimms: 0.0,
    dimms_load: 0.0,
    standby: 25.0,
    fans: 6,
    fan_watts: 40.0,
    air: 0.03,
    cooled: Cooled::Plates(2.5),
    ..GB200_TRAY
};

/// A coolant unit: its pumps are its load, and warm what they move.
pub const CDU: Kind = Kind {
    name: "cdu",
    about: "coolant distribution unit",
    cpus: 0,
    cpu: NO_CHIP,
    board: 60.0,
    dimms: 0.0,
    standby: 60.0,
    board_kelvin: 0.2,
    board_store: 20_000.0,
    fans: 2,
    fan_watts: 20.0,
    fan_rpm: 4000.0,
    air: 0.06,
    still: 0.1,
    inlet: (50.0, 60.0),
    supply: SupplyKind { capacity: 6000.0, ..AC },
    ..SERVER_2S
};

/// A box of accelerators without processors, joined to servers over a fabric.
pub const GPU_BOX: Kind = Kind {
    name: "gpu-box",
    about: "8 passive accelerators behind a PCIe switch",
    cpus: 0,
    cpu: NO_CHIP,
    gpus: 8,
    gpu: A100_PCIE,
    board: 180.0,
    dimms: 0.0,
    fans: 8,
    fan_watts: 300.0,
    air: 0.28,
    board_kelvin: 0.02,
    board_store: 15_000.0,
    gpu_ramp: (50.0, 74.0),
    supply: SupplyKind { capacity: 4000.0, ..AC },
    ..SERVER_2S
};

/// Memory behind CXL: modules of 23.7 W (64 GB DDR5) and controllers of 5.8 W (GreenSKU, Azure).
pub const CXL_BOX: Kind = Kind {
    name: "cxl-box",
    about: "32 memory modules behind CXL",
    cpus: 0,
    cpu: NO_CHIP,
    board: 90.0,
    dimms: 250.0,
    dimms_load: 500.0,
    fans: 6,
    air: 0.1,
    ..SERVER_2S
};

/// NVMe drives behind a fabric: 24 of 16.8 W at work (GreenSKU), 5 W idle.
pub const NVME_BOX: Kind = Kind {
    name: "nvme-box",
    about: "24 NVMe drives behind NVMe-oF",
    cpus: 0,
    cpu: NO_CHIP,
    board: 190.0,
    board_load: 290.0,
    dimms: 20.0,
    dimms_load: 10.0,
    fans: 6,
    air: 0.08,
    ..SERVER_2S
};

/// A switch at the top of the rack.
pub const SWITCH: Kind = Kind {
    name: "switch",
    about: "Ethernet switch, 250 W (RAPS)",
    cpus: 0,
    cpu: NO_CHIP,
    board: 180.0,
    board_load: 60.0,
    dimms: 0.0,
    fans: 4,
    fan_watts: 40.0,
    air: 0.05,
    inlet: (45.0, 60.0),
    supply: SupplyKind {
        capacity: 600.0,
        fixed: 5.0,
        ..AC
    },
    ..SERVER_2S
};

/// A two-socket server without fans, in a tank of fluid.
pub const SERVER_TANK: Kind = Kind {
    name: "server-tank",
    about: "two-socket server made for immersion: no fans",
    fans: 0,
    fan_watts: 0.0,
    recirculation: 0.0,
    board_kelvin: 0.05,
    inlet: (55.0, 62.0),
    cooled: Cooled::Tank,
    ..SERVER_2S
};

/// The same with eight accelerators.
pub const GPU_TANK: Kind = Kind {
    name: "server-8gpu-tank",
    about: "8 GPUs of 700 W made for immersion: no fans",
    fans: 0,
    fan_watts: 0.0,
    recirculation: 0.0,
    inlet: (55.0, 62.0),
    cooled: Cooled::Tank,
    ..SERVER_8GPU
};

/// Every kind that a description can name.
pub const ALL: [Kind; 17] = [
    SERVER_2S,
    DL385,
    SERVER_BARE,
    SERVER_8GPU,
    SERVER_8H200,
    SERVER_PCIE,
    N100,
    GB200_TRAY,
    NVLINK_TRAY,
    CDU,
    GPU_BOX,
    CXL_BOX,
    NVME_BOX,
    SWITCH,
    SERVER_TANK,
    GPU_TANK,
    COOLED_DRAWER,
];

/// A drawer that is a resistor on a plate: what a Cray EX blade is to its cabinet.
pub const COOLED_DRAWER: Kind = Kind {
    name: "ex-blade",
    about: "Cray EX blade: everything on cold plates",
    cpus: 4,
    cpu: ChipKind {
        idle: 60.0,
        full: 445.0,
        ..GRACE
    },
    gpus: 0,
    board: 0.0,
    board_load: 0.0,
    dimms: 0.0,
    dimms_load: 0.0,
    fans: 0,
    fan_watts: 0.0,
    recirculation: 0.0,
    supply: SupplyKind {
        fixed: 0.0,
        gain: 1.0,
        ..FROM_48
    },
    cooled: Cooled::Plates(10.0),
    ..GB200_TRAY
};

impl Kind {
    /// The kind of this name.
    pub fn named(name: &str) -> Option<Kind> {
        ALL.into_iter().find(|k| k.name == name)
    }

    /// Watts behind the supplies: idle with fans at full speed, and at full load with the same. Pumps not counted.
    pub fn range(&self) -> (f64, f64) {
        let (cpus, gpus) = (f64::from(self.cpus), f64::from(self.gpus));
        let idle = self.board + self.dimms + self.fan_watts + cpus * self.cpu.idle + gpus * self.gpu.idle;
        let more = self.board_load
            + self.dimms_load
            + cpus * (self.cpu.full - self.cpu.idle)
            + gpus * (self.gpu.full - self.gpu.idle);
        (idle, idle + more)
    }

    /// The same at the wall, all supplies fed.
    pub fn wall(&self) -> (f64, f64) {
        let (least, most) = self.range();
        let fixed = f64::from(self.supply.count) * self.supply.fixed;
        ((least + fixed) / self.supply.gain, (most + fixed) / self.supply.gain)
    }
}
