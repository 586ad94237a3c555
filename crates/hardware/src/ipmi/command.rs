//! Every command that is ever sent inside a session, and whether it changes something: [`crate::Mode::Observe`] lets
//! only those pass that do not.

/// A command of the BMC (IPMI 2.0 appendix G; DCMI 1.5 §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Command {
    /// Network function.
    pub netfn: u8,
    /// Number.
    pub code: u8,
    /// As the specification names it.
    pub name: &'static str,
    /// Whether it leaves everything as it is.
    pub reads: bool,
}

const CHASSIS: u8 = 0x00;
const SENSOR: u8 = 0x04;
const APP: u8 = 0x06;
const STORAGE: u8 = 0x0a;
const TRANSPORT: u8 = 0x0c;
const GROUP: u8 = 0x2c;

const fn read(netfn: u8, code: u8, name: &'static str) -> Command {
    Command {
        netfn,
        code,
        name,
        reads: true,
    }
}

const fn write(netfn: u8, code: u8, name: &'static str) -> Command {
    Command {
        netfn,
        code,
        name,
        reads: false,
    }
}

macro_rules! commands {
    ($($id:ident = $kind:ident($netfn:expr, $code:expr, $name:expr);)*) => {
        $(#[doc = concat!($name, ".")] pub const $id: Command = $kind($netfn, $code, $name);)*
        #[cfg(test)]
        const ALL: &[Command] = &[$($id),*];
    };
}

commands! {
    CHASSIS_STATUS = read(CHASSIS, 0x01, "Get Chassis Status");
    CHASSIS_CONTROL = write(CHASSIS, 0x02, "Chassis Control");
    IDENTIFY = write(CHASSIS, 0x04, "Chassis Identify");
    SET_BOOT = write(CHASSIS, 0x08, "Set System Boot Options");
    GET_BOOT = read(CHASSIS, 0x09, "Get System Boot Options");
    SENSOR_FACTORS = read(SENSOR, 0x23, "Get Sensor Reading Factors");
    SENSOR_READING = read(SENSOR, 0x2d, "Get Sensor Reading");
    DEVICE_ID = read(APP, 0x01, "Get Device ID");
    COLD_RESET = write(APP, 0x02, "Cold Reset");
    DEVICE_GUID = read(APP, 0x08, "Get Device GUID");
    SYSTEM_GUID = read(APP, 0x37, "Get System GUID");
    AUTH_CAPABILITIES = read(APP, 0x38, "Get Channel Authentication Capabilities");
    // Opening and closing the driver's own session changes nothing that anyone else sees.
    SET_PRIVILEGE = read(APP, 0x3b, "Set Session Privilege Level");
    CLOSE_SESSION = read(APP, 0x3c, "Close Session");
    USER_ACCESS = read(APP, 0x44, "Get User Access");
    USER_NAME = read(APP, 0x46, "Get User Name");
    SET_PASSWORD = write(APP, 0x47, "Set User Password");
    ACTIVATE_PAYLOAD = write(APP, 0x48, "Activate Payload");
    DEACTIVATE_PAYLOAD = write(APP, 0x49, "Deactivate Payload");
    // A reservation only says whether records moved since.
    SDR_INFO = read(STORAGE, 0x20, "Get SDR Repository Info");
    RESERVE_SDR = read(STORAGE, 0x22, "Reserve SDR Repository");
    GET_SDR = read(STORAGE, 0x23, "Get SDR");
    FRU_INFO = read(STORAGE, 0x10, "Get FRU Inventory Area Info");
    READ_FRU = read(STORAGE, 0x11, "Read FRU Data");
    SEL_INFO = read(STORAGE, 0x40, "Get SEL Info");
    GET_SEL = read(STORAGE, 0x43, "Get SEL Entry");
    SOL_PARAMETERS = read(TRANSPORT, 0x22, "Get SOL Configuration Parameters");
    DCMI_POWER = read(GROUP, 0x02, "Get Power Reading");
    DCMI_GET_LIMIT = read(GROUP, 0x03, "Get Power Limit");
    DCMI_SET_LIMIT = write(GROUP, 0x04, "Set Power Limit");
    DCMI_ACTIVATE = write(GROUP, 0x05, "Activate/Deactivate Power Limit");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_get_reads_and_what_is_named_set_does_not() {
        for c in ALL {
            assert!(!c.name.starts_with("Get") || c.reads, "{}", c.name);
            let session = *c == SET_PRIVILEGE;
            assert!(!c.name.starts_with("Set") || !c.reads || session, "{}", c.name);
        }
    }
}
