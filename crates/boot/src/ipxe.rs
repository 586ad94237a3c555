//! iPXE scripts, as functions of what the desk says. A script never waits for a person: what fails is tried again, and in
//! the end the machine restarts, so that a daemon that was away finds it asking again.

use crate::desk::NextBoot;

/// Kernel command line of the boot kit, before what a boot adds to it.
pub const KERNEL_ARGS: &str = "console=tty0 console=ttyS0,115200 quiet panic=10 psi=1 no_timer_check";

/// The script that asks who is there: iPXE knows its own MAC, UUID and serial, the DHCP server only the first.
pub fn who(base: &str) -> String {
    format!(
        "#!ipxe\n\
         set tries:int32 0\n\
         :ask\n\
         chain {base}/boot/script?mac=${{net0/mac:hexhyp}}&uuid=${{uuid}}&serial=${{serial:uristring}}&platform=${{platform}} && goto done || goto again\n\
         :again\n\
         inc tries\n\
         iseq ${{tries}} 20 && goto give_up ||\n\
         sleep 3\n\
         goto ask\n\
         :give_up\n\
         echo Busbar does not answer at {base}\n\
         sleep 10\n\
         reboot\n\
         :done\n"
    )
}

/// The script for a caller.
pub fn script(next: &NextBoot, base: &str, platform: &str, mac: Option<rack::Mac>) -> String {
    match next {
        NextBoot::Agent { token } => {
            let mac = mac.map(|m| format!(" busbar.mac={m}")).unwrap_or_default();
            format!(
                "#!ipxe\n\
                 set tries:int32 0\n\
                 :fetch\n\
                 imgfree\n\
                 kernel {base}/boot/kernel initrd=initrd {KERNEL_ARGS} busbar.url={base} busbar.token={token}{mac} || goto again\n\
                 initrd --name initrd {base}/boot/initrd || goto again\n\
                 boot || goto again\n\
                 :again\n\
                 inc tries\n\
                 iseq ${{tries}} 10 && reboot ||\n\
                 sleep 3\n\
                 goto fetch\n"
            )
        }
        NextBoot::Disk { why } => {
            let why: String = why.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').collect();
            // A BIOS that is left by `exit` may try the network again at once; UEFI goes to its next entry.
            let leave = if platform == "pcbios" {
                "sanboot --no-describe --drive 0x80 || exit"
            } else {
                "exit"
            };
            format!("#!ipxe\necho Busbar: boots from its own disk ({why})\n{leave}\n")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_is_started_with_its_token_and_a_failure_ends_in_a_restart() {
        let next = NextBoot::Agent {
            token: "n1~4~abc".into(),
        };
        let text = script(&next, "http://10.77.0.1:7480", "efi", None);
        assert!(text.starts_with("#!ipxe\n"));
        assert!(text.contains("busbar.url=http://10.77.0.1:7480 busbar.token=n1~4~abc"));
        assert!(text.contains("&& reboot ||"));
    }

    #[test]
    fn a_machine_with_a_system_of_its_own_boots_it() {
        let next = NextBoot::Disk {
            why: "web-1 is\nrunning ;reboot".into(),
        };
        assert!(script(&next, "http://x", "pcbios", None).contains("sanboot --no-describe --drive 0x80 || exit"));
        let efi = script(&next, "http://x", "efi", None);
        assert!(efi.ends_with("\nexit\n") && efi.lines().count() == 3, "{efi}");
    }
}
