//! The command line of one boot.

use std::path::Path;

use crate::disks::Drive;
use crate::emulated::Boot;
use crate::layout::ServerSpec;

/// Where a machine looks for something to boot, first to last; what is not named is not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// First drive, then the first port's PXE.
    DiskNetwork,
    /// The first port's PXE, then the first drive.
    NetworkDisk,
    /// The first drive alone.
    Disk,
}

/// The order that an override asks for; none for what these machines have not: they stay in firmware.
pub(super) fn order(boot: &Boot) -> Option<Order> {
    match boot.target.as_str() {
        _ if boot.enabled == "Disabled" => Some(Order::DiskNetwork),
        "None" => Some(Order::DiskNetwork),
        "Pxe" => Some(Order::NetworkDisk),
        "Hdd" => Some(Order::Disk),
        _ => None,
    }
}

/// Boot overrides that their BMC offers: their firmware is SeaBIOS, which knows neither HTTP boot nor a setup.
pub(crate) const TARGETS: [&str; 3] = ["None", "Pxe", "Hdd"];

/// A comma in an option's value is written twice (qemu(1)).
fn value(text: &str) -> String {
    text.replace(',', ",,")
}

/// QEMU's arguments for a server as it is described: what its BMC tells of it is what the machine has.
pub(super) fn arguments(spec: &ServerSpec, drives: &[Drive], tap: &str, order: Order, monitor: &Path) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let mut add = |name: &str, value: String| all.extend([format!("-{name}"), value]);
    add("name", format!("guest={}", value(&spec.place)));
    // without graphics SeaBIOS speaks on the serial line
    add("machine", "q35,graphics=off".into());
    add("accel", "tcg,thread=multi".into());
    add("cpu", "max".into());
    let (sockets, cores, threads) = (spec.build.sockets, spec.build.cores, spec.build.threads);
    let cpus = spec.build.processors();
    add(
        "smp",
        format!("cpus={cpus},sockets={sockets},cores={cores},threads={threads}"),
    );
    add("m", format!("{}G", spec.memory_gib()));
    add("uuid", spec.uuid.to_string());
    let identity = format!(
        "type=1,manufacturer=Busbar,product={},serial={},uuid={}",
        value(&spec.model()),
        spec.serial,
        spec.uuid
    );
    add("smbios", identity);
    add("rtc", "base=utc".into());
    add("boot", "strict=on".into());
    let (disk, network) = match order {
        Order::DiskNetwork => (0, Some(1)),
        Order::NetworkDisk => (1, Some(0)),
        Order::Disk => (0, None),
    };
    for (n, (drive, described)) in drives.iter().zip(&spec.drives).enumerate() {
        let Some(file) = drive.path() else { continue };
        add(
            "drive",
            format!(
                "if=none,id=d{n},format=raw,discard=unmap,file={}",
                value(&file.display().to_string())
            ),
        );
        let boots = if n == 0 {
            format!(",bootindex={disk}")
        } else {
            String::new()
        };
        add("device", format!("nvme,drive=d{n},serial={}{boots}", described.serial));
    }
    add("netdev", format!("tap,id=port0,ifname={tap},script=no,downscript=no"));
    let boots = network.map_or(String::new(), |n| format!(",bootindex={n}"));
    add(
        "device",
        format!("virtio-net-pci,netdev=port0,mac={}{boots}", spec.macs[0]),
    );
    add("device", "virtio-rng-pci".into());
    add("chardev", "stdio,id=line,signal=off".into());
    add("serial", "chardev:line".into());
    add(
        "chardev",
        format!(
            "socket,id=monitor,server=on,wait=off,path={}",
            value(&monitor.display().to_string())
        ),
    );
    add("mon", "chardev=monitor,mode=control".into());
    add("display", "none".into());
    add("vga", "none".into());
    // a machine that breaks out of its emulation can't start anything
    add("sandbox", "on,spawn=deny".into());
    all.extend(["-nodefaults", "-no-user-config", "-no-reboot"].map(str::to_owned));
    all
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::disks::Disks;
    use crate::layout::RackLayout;

    fn line(order: Order) -> String {
        let folder = std::env::temp_dir().join(format!("busbar-vm-line-{}", std::process::id()));
        let (_, spec) = RackLayout::machines(1).build_servers(1).remove(0);
        let disks = Disks::Files(folder.clone());
        let drives: Vec<Drive> = spec
            .drives
            .iter()
            .map(|d| disks.open(d.name, 1 << 20).unwrap())
            .collect();
        let all = arguments(&spec, &drives, "vm1", order, Path::new("/run/a,b.qmp"));
        std::fs::remove_dir_all(folder).unwrap();
        all.join(" ")
    }

    #[test]
    fn a_machine_is_what_its_bmc_says_and_boots_in_the_order_that_it_was_told() {
        let all = line(Order::NetworkDisk);
        for part in [
            "-name guest=r1/u1 ",
            "-smp cpus=2,sockets=2,cores=1,threads=1 ",
            "-m 1G ",
            "path=/run/a,,b.qmp ",
            "-device nvme,drive=d0,serial=EMU",
            "N0,bootindex=1 ",
            ",bootindex=0 -device virtio-rng-pci",
            " -no-reboot",
        ] {
            assert!(all.contains(part), "{part} is not in {all}");
        }
        assert!(!line(Order::Disk).contains("bootindex=1"));
    }

    #[test]
    fn what_they_have_not_is_no_order() {
        let boot = |target: &str, enabled: &str| Boot {
            target: target.into(),
            enabled: enabled.into(),
            uri: String::new(),
        };
        assert_eq!(order(&boot("Pxe", "Once")), Some(Order::NetworkDisk));
        assert_eq!(order(&boot("Pxe", "Disabled")), Some(Order::DiskNetwork));
        assert_eq!(order(&boot("Hdd", "Continuous")), Some(Order::Disk));
        assert_eq!(order(&boot("BiosSetup", "Once")), None);
        assert!(TARGETS.iter().all(|t| order(&boot(t, "Once")).is_some()));
    }
}
