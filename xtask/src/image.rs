//! The Debian image that the scenario installs: mmdebstrap's tree in a raw disk that boots under
//! BIOS and under UEFI, with cloud-init and an SSH server. Needs root, the Debian archive, and no loop device.
//!
//! The disk: `bios_grub` (GRUB's core for BIOS), an EFI partition (GRUB for UEFI), an ext4 root. Both
//! GRUBs run the same three commands; there is no menu.

use std::fs::{self, File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::command::{cmd, output, run};

const RELEASE: &str = "bookworm";
const PACKAGES: &str = "linux-image-cloud-amd64,initramfs-tools,zstd,systemd-sysv,udev,dbus,iproute2,netbase,\
                        ca-certificates,openssh-server,sudo,cloud-init";

const SECTOR: u64 = 512;
const MIB: u64 = 1 << 20;
/// First byte and size of each partition; GPT's own tables take less than 1 MiB at each end.
const BIOS_CORE: (u64, u64) = (MIB, MIB);
const EFI: (u64, u64) = (2 * MIB, 8 * MIB);
const ROOT: (u64, u64) = (10 * MIB, 620 * MIB);
const DISK: u64 = 631 * MIB;
const ROOT_UUID: &str = "6b0be5ba-0000-4000-8000-00000000b00c";

/// Where cloud-init is told to look for its data. Both are pinned: on metal cloud-init can't guess.
#[derive(Clone, Copy)]
pub enum Variant {
    /// `GET meta-data`, `user-data`, `vendor-data` below one address
    NoCloud,
    /// EC2's tree, with a session token
    Ec2,
}

impl Variant {
    pub const ALL: [Self; 2] = [Self::NoCloud, Self::Ec2];

    /// The name of the image in Busbar's store, and of its file.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoCloud => "debian-12",
            Self::Ec2 => "debian-12-ec2",
        }
    }

    fn datasource(self) -> &'static str {
        match self {
            Self::NoCloud => {
                "datasource_list: [ NoCloud, None ]\n\
                 datasource:\n  NoCloud:\n    seedfrom: http://169.254.169.254/nocloud/\n"
            }
            Self::Ec2 => {
                "datasource_list: [ Ec2, None ]\n\
                 datasource:\n  Ec2:\n    strict_id: false\n    metadata_urls: [ \"http://169.254.169.254\" ]\n    \
                 max_wait: 60\n    timeout: 10\n"
            }
        }
    }
}

/// Where the image is, once it is built; the name changes with the recipe.
pub fn file(variant: Variant) -> PathBuf {
    cache().join(format!("{}-{:016x}.raw", variant.name(), recipe()))
}

fn cache() -> PathBuf {
    crate::scratch().join("cache")
}

/// Builds every variant, unless the cache holds them all.
pub fn build() -> Result<()> {
    if Variant::ALL.iter().all(|&variant| file(variant).exists()) {
        return Ok(());
    }
    if cache().exists() {
        fs::remove_dir_all(cache())?;
    }
    fs::create_dir_all(cache())?;
    let tree = tree()?;
    for variant in Variant::ALL {
        write(&tree, "etc/cloud/cloud.cfg.d/90_datasource.cfg", variant.datasource())?;
        let unfinished = cache().join("unfinished.raw");
        assemble(&tree, &unfinished).context("putting the disk image together")?;
        fs::rename(&unfinished, file(variant))?;
    }
    Ok(fs::remove_dir_all(&tree)?)
}

/// What the image is made from is this file.
fn recipe() -> u64 {
    let mut hasher = DefaultHasher::new();
    include_str!("image.rs").hash(&mut hasher);
    hasher.finish()
}

/// Debian's files, configured but for the data source.
fn tree() -> Result<PathBuf> {
    let tree = cache().join("tree");
    run(Command::new("mmdebstrap")
        .args(["--mode=root", "--variant=minbase", "--quiet"])
        .arg(format!("--include={PACKAGES}"))
        .args(["man", "doc", "locale", "info"].map(|what| format!("--dpkgopt=path-exclude=/usr/share/{what}/*")))
        .arg("--aptopt=Apt::Install-Recommends \"false\"")
        .arg(RELEASE)
        .arg(&tree))?;
    configure(&tree)?;
    Ok(tree)
}

fn configure(tree: &Path) -> Result<()> {
    write(
        tree,
        "etc/fstab",
        &format!("UUID={ROOT_UUID} / ext4 errors=remount-ro 0 1\n"),
    )?;
    write(tree, "etc/hostname", "unconfigured\n")?;
    // empty, so that each machine makes its own at first boot (machine-id(5))
    write(tree, "etc/machine-id", "")?;
    write(
        tree,
        "etc/systemd/network/80-dhcp.network",
        "[Match]\nName=en* eth*\n\n[Network]\nDHCP=ipv4\nLinkLocalAddressing=no\n",
    )?;
    write(
        tree,
        "etc/cloud/cloud.cfg.d/80_image.cfg",
        // one kind of host key: under emulation an RSA key takes longer than the rest of the boot
        "network: { config: disabled }\nssh_genkeytypes: [ ed25519 ]\nlocale: false\nmanage_etc_hosts: localhost\n",
    )?;
    for key in fs::read_dir(tree.join("etc/ssh"))? {
        let key = key?.path();
        if key
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with("ssh_host_"))
        {
            fs::remove_file(key)?;
        }
    }
    output(
        Command::new("chroot")
            .arg(tree)
            .args(["systemctl", "enable", "systemd-networkd"]),
    )
    .map(drop)
}

fn write(tree: &Path, path: &str, text: &str) -> Result<()> {
    fs::write(tree.join(path), text).with_context(|| format!("writing the image's /{path}"))
}

fn assemble(tree: &Path, disk: &Path) -> Result<()> {
    File::create(disk)?.set_len(DISK)?;
    partition(disk)?;
    let grub = cache().join("grub");
    fs::create_dir_all(&grub)?;
    boot_for_bios(disk, &grub)?;
    boot_for_uefi(disk, &grub)?;
    run(Command::new("mke2fs")
        .args(["-q", "-t", "ext4", "-m", "0", "-L", "root", "-U", ROOT_UUID, "-E"])
        .arg(format!("offset={},root_owner=0:0", ROOT.0))
        .arg("-d")
        .arg(tree)
        .arg(disk)
        .arg(format!("{}k", ROOT.1 / 1024)))
}

fn partition(disk: &Path) -> Result<()> {
    let mut sgdisk = Command::new("sgdisk");
    sgdisk.arg("--set-alignment=1");
    for (number, (start, size), kind) in [(1, BIOS_CORE, "ef02"), (2, EFI, "ef00"), (3, ROOT, "8300")] {
        let (first, last) = (start / SECTOR, (start + size) / SECTOR - 1);
        sgdisk
            .arg(format!("--new={number}:{first}:{last}"))
            .arg(format!("--typecode={number}:{kind}"));
    }
    output(sgdisk.arg(disk)).map(drop)
}

/// What either GRUB does: Debian keeps links to the newest kernel and initramfs in the root folder.
fn script() -> String {
    format!(
        "search --no-floppy --fs-uuid --set=root {ROOT_UUID}\n\
         linux /vmlinuz root=UUID={ROOT_UUID} ro console=tty0 console=ttyS0,115200 no_timer_check\n\
         initrd /initrd.img\n\
         boot\n"
    )
}

fn grub(folder: &Path, platform: &str, modules: &str) -> Result<PathBuf> {
    let (script_file, core) = (folder.join("script"), folder.join(platform));
    fs::write(&script_file, script())?;
    run(Command::new("grub-mkimage")
        .args(["-O", platform, "-p", "/boot/grub", "-c"])
        .arg(&script_file)
        .arg("-o")
        .arg(&core)
        .args("part_gpt ext2 search search_fs_uuid linux boot".split(' '))
        .args(modules.split(' ')))?;
    Ok(core)
}

/// What `grub-bios-setup` does, without a device to do it on: the boot sector learns where the core
/// begins, and the core's own first sector where it goes on (GRUB's `boot.S` and `diskboot.S`).
fn boot_for_bios(disk: &Path, folder: &Path) -> Result<()> {
    /// Offset of the core's first sector number in the boot sector (`GRUB_BOOT_MACHINE_KERNEL_SECTOR`).
    const KERNEL_SECTOR: usize = 0x5c;
    /// Offset of the first list entry at the end of the core's first sector (`GRUB_BOOT_MACHINE_LIST_SIZE`).
    const FIRST_BLOCK: usize = 0x200 - 12;
    /// Code before the disk signature and the partition table.
    const CODE: usize = 440;

    let core_sector = BIOS_CORE.0 / SECTOR;
    let mut boot = fs::read("/usr/lib/grub/i386-pc/boot.img")?;
    let mut core = fs::read(grub(folder, "i386-pc", "biosdisk")?)?;
    boot[KERNEL_SECTOR..][..8].copy_from_slice(&core_sector.to_le_bytes());
    core[FIRST_BLOCK..][..8].copy_from_slice(&(core_sector + 1).to_le_bytes());
    anyhow::ensure!(
        core.len() as u64 <= BIOS_CORE.1,
        "GRUB's core does not fit its partition"
    );

    let mut disk = OpenOptions::new().write(true).open(disk)?;
    disk.write_all(&boot[..CODE])?;
    disk.seek(SeekFrom::Start(BIOS_CORE.0))?;
    disk.write_all(&core)?;
    Ok(())
}

/// GRUB at the path that firmware tries on any disk (UEFI 2.10, §3.5.1.1).
fn boot_for_uefi(disk: &Path, folder: &Path) -> Result<()> {
    let loader = grub(folder, "x86_64-efi", "efi_gop")?;
    output(
        Command::new("mkfs.vfat")
            .args([
                "-F",
                "16",
                "-s",
                "1",
                "-n",
                "EFI",
                "--offset",
                &(EFI.0 / SECTOR).to_string(),
            ])
            .arg(disk)
            .arg((EFI.1 / 1024).to_string()),
    )?;
    let partition = format!("{}@@{}", disk.display(), EFI.0);
    output(cmd("mmd -i").arg(&partition).args(["::/EFI", "::/EFI/BOOT"]))?;
    output(
        cmd("mcopy -i")
            .arg(&partition)
            .arg(loader)
            .arg("::/EFI/BOOT/BOOTX64.EFI"),
    )
    .map(drop)
}
