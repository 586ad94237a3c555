//! The manager: the BMC itself.

use serde_json::{Value, json};

use super::{at, collection, fine};
use crate::emulated::{Bmc, Emulated};

const M: &str = "/redfish/v1/Managers/BMC";

pub(super) fn get(rack: &Emulated, bmc: Bmc, segments: &[&str]) -> Option<Value> {
    let address = rack.address(bmc);
    let server = match bmc {
        Bmc::Server(i) => Some(i),
        Bmc::Pdu(_) | Bmc::Equipment(_) => None,
    };
    Some(match segments {
        [] => collection("ManagerCollection", "Managers", [M.to_string()]),
        ["BMC"] => {
            let mut manager = json!({
                "@odata.type": "#Manager.v1_18_0.Manager",
                "Id": "BMC", "Name": "Manager", "ManagerType": "BMC", "Manufacturer": "Busbar", "Model": "Emulated BMC",
                "FirmwareVersion": super::update::version(rack, bmc, "BMC"), "UUID": rack.core(bmc).uuid.to_string(),
                "DateTime": (rack.config.clock)().to_string(), "DateTimeLocalOffset": "+00:00",
                "PowerState": "On", "Status": fine(),
                "NetworkProtocol": at(format!("{M}/NetworkProtocol")),
            });
            if server.is_some() {
                manager["EthernetInterfaces"] = at(format!("{M}/EthernetInterfaces"));
                manager["VirtualMedia"] = at(format!("{M}/VirtualMedia"));
                manager["Links"] = json!({
                    "ManagerForServers": [at("/redfish/v1/Systems/1")], "ManagerForChassis": [at("/redfish/v1/Chassis/1")],
                });
                manager["Actions"] = json!({"#Manager.Reset": {
                    "target": format!("{M}/Actions/Manager.Reset"),
                    "ResetType@Redfish.AllowableValues": ["ForceRestart", "GracefulRestart"],
                }});
            }
            if matches!(bmc, Bmc::Equipment(_)) {
                manager["Links"] = json!({"ManagerForChassis": [at("/redfish/v1/Chassis/1")]});
            }
            manager
        }
        ["BMC", "NetworkProtocol"] => json!({
            "@odata.type": "#ManagerNetworkProtocol.v1_9_0.ManagerNetworkProtocol",
            "Id": "NetworkProtocol", "Name": "Manager Network Protocol", "Status": fine(),
            "HTTPS": {"ProtocolEnabled": rack.config.tls, "Port": rack.config.port},
            "HTTP": {"ProtocolEnabled": !rack.config.tls, "Port": rack.config.port},
        }),
        ["BMC", "EthernetInterfaces"] if server.is_some() => collection(
            "EthernetInterfaceCollection",
            "Ethernet Interfaces",
            [format!("{M}/EthernetInterfaces/eth0")],
        ),
        ["BMC", "EthernetInterfaces", "eth0"] => json!({
            "@odata.type": "#EthernetInterface.v1_10_0.EthernetInterface",
            "Id": "eth0", "Name": "eth0", "InterfaceEnabled": true, "LinkStatus": "LinkUp", "Status": fine(),
            "MACAddress": rack.servers[server?].spec.bmc_mac.to_string(),
            "IPv4Addresses": [{
                "Address": address.to_string(), "SubnetMask": "255.0.0.0", "AddressOrigin": "Static", "Gateway": null,
            }],
        }),
        ["BMC", "VirtualMedia"] if server.is_some() => collection(
            "VirtualMediaCollection",
            "Virtual Media",
            [format!("{M}/VirtualMedia/Cd")],
        ),
        ["BMC", "VirtualMedia", "Cd"] => {
            let media = rack.view(server?).media;
            json!({
                "@odata.type": "#VirtualMedia.v1_6_0.VirtualMedia",
                "Id": "Cd", "Name": "Virtual CD", "MediaTypes": ["CD", "DVD"], "Inserted": media.is_some(),
                "ConnectedVia": if media.is_some() { "URI" } else { "NotConnected" }, "WriteProtected": true,
                "Image": media, "Status": fine(),
                "Actions": {
                    "#VirtualMedia.InsertMedia": {"target": format!("{M}/VirtualMedia/Cd/Actions/VirtualMedia.InsertMedia")},
                    "#VirtualMedia.EjectMedia": {"target": format!("{M}/VirtualMedia/Cd/Actions/VirtualMedia.EjectMedia")},
                },
            })
        }
        _ => return None,
    })
}
