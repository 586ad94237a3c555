//! `ipmi_sim` of OpenIPMI, started on a free port of the loopback, as the box that the driver is proved against.

use std::io::{Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// A simulated BMC; ends with the test.
pub struct Sim {
    dir: tempfile::TempDir,
    child: Child,
    pub port: u16,
}

/// Answers what the chassis is asked, from files; each call is noted.
const CHASSIS: &str = r#"#!/bin/sh
cd "$(dirname "$0")"; shift; op=$1; shift
echo "$op $*" >> calls
if [ "$op" = get ]; then
  for p in "$@"; do echo "$p:$(cat "$p")"; done
else
  while [ -n "$1" ]; do echo "$2" > "$1"; shift 2; done
fi
"#;

/// A full sensor record of the BMC: number, entity, sensor type, base unit, M, name.
fn analog(number: u8, entity: u8, kind: u8, unit: u8, m: u8, name: &str) -> String {
    let mut record = vec![
        0, 0, 0x51, 1, 0, 0x20, 0, number, entity, 1, 0x7f, 0x68, kind, 1, 0, 0, 0, 0, 0, 0, 0, unit, 0, 0, m, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ];
    record.push(0xc0 | u8::try_from(name.len()).unwrap());
    record.extend(name.bytes());
    sdr(record)
}

fn sdr(mut record: Vec<u8>) -> String {
    record[4] = u8::try_from(record.len() - 5).unwrap();
    format!("main_sdr_add 0x20 {}\n", hex(&record))
}

fn hex(bytes: &[u8]) -> String {
    let all: Vec<String> = bytes.iter().map(|b| format!("{b:#04x}")).collect();
    all.join(" ")
}

/// A FRU device with nothing but a product area.
fn fru(device: u8, texts: &[&str]) -> String {
    let mut area = vec![1, 0, 0x19];
    for t in texts {
        area.push(0xc0 | u8::try_from(t.len()).unwrap());
        area.extend(t.bytes());
    }
    area.push(0xc1);
    while area.len() % 8 != 7 {
        area.push(0);
    }
    area[1] = u8::try_from((area.len() + 1) / 8).unwrap();
    let sum = |bytes: &[u8]| bytes.iter().fold(0u8, |s, b| s.wrapping_sub(*b));
    area.push(sum(&area));
    let mut data = vec![1, 0, 0, 0, 1, 0, 0];
    data.push(sum(&data));
    data.extend(area);
    format!("mc_add_fru_data 0x20 {device} {} data {}\n", data.len(), hex(&data))
}

fn emulation() -> String {
    let mut out = String::from(
        "mc_setbmc 0x20\nmc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr\nsel_enable 0x20 100 0x0a\n",
    );
    // Number, entity, type, unit, M, raw value, name.
    let sensors = [
        (1u8, 0x37u8, 1u8, 1u8, 1u8, 24u8, "Inlet Temp"),
        (2, 0x03, 1, 1, 1, 61, "CPU1 Temp"),
        (3, 0x1d, 4, 18, 100, 93, "FAN_A"),
        (4, 0x07, 0x0b, 6, 4, 105, "Pwr Consumption"),
        (5, 0x03, 1, 1, 1, 50, "CPU2 Temp"),
    ];
    for (number, entity, kind, unit, m, raw, name) in sensors {
        out += &format!("sensor_add 0x20 0 {number} {kind} 1\n");
        out += &analog(number, entity, kind, unit, m, name);
        out += &format!("sensor_set_threshold 0x20 0 {number} settable 111000 250 240 230 0 0 0\n");
        let bits = "000111111000000";
        // The last one is not scanned: it has no reading.
        let scan = if number == 5 { "no-scanning" } else { "scanning" };
        out +=
            &format!("sensor_set_event_support 0x20 0 {number} enable {scan} per-state {bits} {bits} {bits} {bits}\n");
        out += &format!("sensor_set_value 0x20 0 {number} {raw} 0\n");
    }
    // A supply: present, its input lost; and where its FRU information is.
    out += "sensor_add 0x20 0 8 8 0x6f\n";
    let mut record = vec![0, 0, 0x51, 2, 0, 0x20, 0, 8, 0x0a, 1, 0x7f, 0x68, 8, 0x6f];
    record.resize(31, 0);
    record[23] = 1;
    record.push(0xc3);
    record.extend(b"PS1");
    out += &sdr(record);
    let bits = "000000000001111";
    out += &format!("sensor_set_event_support 0x20 0 8 enable scanning per-state {bits} {bits} {bits} {bits}\n");
    out += "sensor_set_bit 0x20 0 8 0 1 0\nsensor_set_bit 0x20 0 8 3 1 0\n";
    let mut locator = vec![0, 0, 0x51, 0x11, 0, 0x20, 3, 0x80, 0, 0, 0x10, 0, 0x0a, 1, 0];
    locator.push(0xc3);
    locator.extend(b"PS1");
    out += &sdr(locator);
    out += &fru(0, &["Maker", "Box 2000", "P/N", "", "S-42"]);
    out += &fru(3, &["Supply Co", "PSU-1600", "", "", "PS-7"]);
    // Two events of the supply; the simulator gives them the time.
    out += "sel_add 0x20 2 0x80 0x84 0x5e 0x60 0x20 0x00 0x04 8 8 0x6f 0x01 0xff 0xff\n";
    out += "sel_add 0x20 2 0x90 0x84 0x5e 0x60 0x20 0x00 0x04 8 8 0x6f 0x03 0xff 0xff\n";
    out + "mc_enable 0x20\n"
}

/// A serial line that answers each line in brackets, behind the simulator's console.
fn serial_line() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        while let Ok((mut line, _)) = listener.accept() {
            std::thread::spawn(move || {
                let mut buffer = [0; 512];
                while let Ok(n @ 1..) = line.read(&mut buffer) {
                    let answer = [b"[".as_slice(), &buffer[..n], b"]"].concat();
                    if line.write_all(&answer).is_err() {
                        break;
                    }
                }
            });
        }
    });
    port
}

impl Sim {
    /// Starts it; nothing, said aloud, when it is not installed.
    pub fn start() -> Option<Sim> {
        let dir = tempfile::tempdir().unwrap();
        let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let path = |name: &str| dir.path().join(name);
        std::fs::create_dir(path("state")).unwrap();
        std::fs::write(path("chassis"), CHASSIS).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(path("chassis"), mode).unwrap();
        for (file, value) in [("power", "0"), ("boot", "none")] {
            std::fs::write(path(file), value).unwrap();
        }
        let auths: String = ["callback", "user", "operator", "admin"]
            .map(|p| format!("allowed_auths_{p} none md2 md5 straight\n"))
            .concat();
        let config = format!(
            "name \"busbar\"\nset_working_mc 0x20\nstartlan 1\naddr 127.0.0.1 {port}\npriv_limit admin\n{auths}\
             guid 44454c4c5100104a8052b4c04f4b3732\nendlan\nchassis_control \"{} 0x20\"\n\
             sol \"tcp:127.0.0.1:{}\" 115200\n\
             user 2 true \"admin\" \"secret\" admin 10 none md2 md5 straight\n",
            path("chassis").display(),
            serial_line(),
        );
        std::fs::write(path("lan.conf"), config).unwrap();
        std::fs::write(path("sim.emu"), emulation()).unwrap();
        let log = std::fs::File::create(path("log")).unwrap();
        let child = Command::new("ipmi_sim")
            .args(["-n", "-c", "lan.conf", "-f", "sim.emu", "-s", "state"])
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn();
        match child {
            Ok(child) => Some(Sim { dir, child, port }),
            Err(e) => {
                eprintln!("SKIPPED: ipmi_sim can't be started ({e}); install the Debian package openipmi");
                None
            }
        }
    }

    /// A file that the chassis script keeps its state in.
    pub fn file(&self, name: &str) -> String {
        let at: PathBuf = self.dir.path().join(name);
        std::fs::read_to_string(at).unwrap_or_default().trim().to_owned()
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
