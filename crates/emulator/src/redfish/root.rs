//! The service root, and the services that stand beside the hardware.

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{at, collection, fine};
use crate::emulated::{Bmc, Emulated};

/// The OData metadata document: references to DMTF's schemas, none of our own.
pub(super) const METADATA: &str = concat!(
    r#"<?xml version="1.0" encoding="UTF-8"?>"#,
    r#"<edmx:Edmx xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx" Version="4.0">"#,
    r#"<edmx:Reference Uri="http://redfish.dmtf.org/schemas/v1/ServiceRoot_v1.xml">"#,
    r#"<edmx:Include Namespace="ServiceRoot"/><edmx:Include Namespace="ServiceRoot.v1_17_0"/></edmx:Reference>"#,
    r#"<edmx:DataServices><Schema xmlns="http://docs.oasis-open.org/odata/ns/edm" Namespace="Service">"#,
    r#"<EntityContainer Name="Service" Extends="ServiceRoot.v1_17_0.ServiceContainer"/>"#,
    r#"</Schema></edmx:DataServices></edmx:Edmx>"#
);

/// The standard roles (DSP0266 §13.2).
const ROLES: [(&str, &[&str]); 3] = [
    (
        "Administrator",
        &[
            "Login",
            "ConfigureManager",
            "ConfigureUsers",
            "ConfigureSelf",
            "ConfigureComponents",
        ],
    ),
    ("Operator", &["Login", "ConfigureSelf", "ConfigureComponents"]),
    ("ReadOnly", &["Login", "ConfigureSelf"]),
];

/// The OData service document.
pub(super) fn odata() -> Value {
    let services = [
        "Systems",
        "Chassis",
        "Managers",
        "SessionService",
        "AccountService",
        "EventService",
    ];
    let mut value = vec![json!({"name": "Service", "kind": "Singleton", "url": "/redfish/v1/"})];
    value.extend(services.map(|s| json!({"name": s, "kind": "Singleton", "url": format!("/redfish/v1/{s}")})));
    json!({"@odata.context": "/redfish/v1/$metadata", "value": value})
}

pub(super) fn get(rack: &Emulated, bmc: Bmc, segments: &[&str]) -> Option<Value> {
    let core = rack.core(bmc);
    let user = &rack.config.credential.user;
    Some(match segments {
        [] => root(rack, bmc),
        ["SessionService"] => json!({
            "@odata.type": "#SessionService.v1_1_9.SessionService",
            "Id": "SessionService", "Name": "Session Service", "Status": fine(),
            "ServiceEnabled": true, "SessionTimeout": core.timeout(None),
            "Sessions": at("/redfish/v1/SessionService/Sessions"),
        }),
        ["SessionService", "Sessions"] => collection(
            "SessionCollection",
            "Sessions",
            core.sessions()
                .iter()
                .map(|s| format!("/redfish/v1/SessionService/Sessions/{}", s.id)),
        ),
        ["SessionService", "Sessions", id] => {
            let session = core.sessions().into_iter().find(|s| s.id.to_string() == *id)?;
            json!({
                "@odata.type": "#Session.v1_6_0.Session",
                "Id": id, "Name": "User Session", "UserName": session.user,
            })
        }
        ["AccountService"] => json!({
            "@odata.type": "#AccountService.v1_13_0.AccountService",
            "Id": "AccountService", "Name": "Account Service", "Status": fine(), "ServiceEnabled": true,
            "Accounts": at("/redfish/v1/AccountService/Accounts"),
            "Roles": at("/redfish/v1/AccountService/Roles"),
        }),
        ["AccountService", "Accounts"] => collection(
            "ManagerAccountCollection",
            "Accounts",
            ["/redfish/v1/AccountService/Accounts/1".to_string()],
        ),
        ["AccountService", "Accounts", "1"] => json!({
            "@odata.type": "#ManagerAccount.v1_10_0.ManagerAccount",
            "Id": "1", "Name": "User Account", "UserName": user, "Password": null, "RoleId": "Administrator",
            "AccountTypes": ["Redfish"], "Enabled": true, "Locked": false,
            "Links": {"Role": at("/redfish/v1/AccountService/Roles/Administrator")},
        }),
        ["AccountService", "Roles"] => collection(
            "RoleCollection",
            "Roles",
            ROLES.map(|r| format!("/redfish/v1/AccountService/Roles/{}", r.0)),
        ),
        ["AccountService", "Roles", id] => {
            let (id, privileges) = ROLES.into_iter().find(|r| r.0 == *id)?;
            json!({
            "@odata.type": "#Role.v1_3_1.Role",
            "Id": id, "Name": id, "RoleId": id, "IsPredefined": true, "AssignedPrivileges": privileges,
            })
        }
        ["EventService"] => json!({
            "@odata.type": "#EventService.v1_10_0.EventService",
            "Id": "EventService", "Name": "Event Service", "Status": fine(), "ServiceEnabled": true,
            "DeliveryRetryAttempts": 0, "EventFormatTypes": ["Event"], "RegistryPrefixes": ["Base", "ResourceEvent"],
            "ServerSentEventUri": "/redfish/v1/EventService/SSE",
            "Subscriptions": at("/redfish/v1/EventService/Subscriptions"),
        }),
        ["EventService", "Subscriptions"] => collection("EventDestinationCollection", "Subscriptions", []),
        ["TaskService"] => json!({
            "@odata.type": "#TaskService.v1_2_0.TaskService",
            "Id": "TaskService", "Name": "Task Service", "Status": fine(), "ServiceEnabled": true,
            "DateTime": (rack.config.clock)().to_string(),
            "Tasks": at("/redfish/v1/TaskService/Tasks"),
        }),
        ["TaskService", "Tasks"] => collection(
            "TaskCollection",
            "Tasks",
            core.tasks()
                .iter()
                .map(|t| format!("/redfish/v1/TaskService/Tasks/{}", t.id)),
        ),
        ["TaskService", "Tasks", id] => {
            let task = core.tasks().into_iter().find(|t| t.id.to_string() == *id)?;
            let done = task.until <= Instant::now();
            json!({
                "@odata.type": "#Task.v1_7_0.Task",
                "Id": id, "Name": task.name, "StartTime": task.started.to_string(),
                "TaskState": if done { "Completed" } else { "Running" }, "TaskStatus": "OK",
                "PercentComplete": if done { 100 } else { 50 }, "Messages": [],
            })
        }
        ["UpdateService"] => json!({
            "@odata.type": "#UpdateService.v1_12_0.UpdateService",
            "Id": "UpdateService", "Name": "Update Service", "Status": fine(), "ServiceEnabled": true,
            "FirmwareInventory": at("/redfish/v1/UpdateService/FirmwareInventory"),
        }),
        ["UpdateService", "FirmwareInventory"] => collection(
            "SoftwareInventoryCollection",
            "Firmware",
            firmware(bmc)
                .iter()
                .map(|f| format!("/redfish/v1/UpdateService/FirmwareInventory/{}", f.0)),
        ),
        ["UpdateService", "FirmwareInventory", id] => {
            let (id, name, version) = firmware(bmc).into_iter().find(|f| f.0 == *id)?;
            json!({
                "@odata.type": "#SoftwareInventory.v1_10_0.SoftwareInventory",
                "Id": id, "Name": name, "Version": version, "Updateable": false, "Status": fine(),
            })
        }
        ["Registries"] => collection(
            "MessageRegistryFileCollection",
            "Registries",
            ["/redfish/v1/Registries/Base".into()],
        ),
        ["Registries", "Base"] => json!({
            "@odata.type": "#MessageRegistryFile.v1_1_3.MessageRegistryFile",
            "Id": "Base", "Name": "Base Message Registry File", "Registry": "Base.1.18", "Languages": ["en"],
            "Location": [{
                "Language": "en",
                "PublicationUri": "https://redfish.dmtf.org/registries/Base.1.18.1.json",
            }],
        }),
        ["JsonSchemas"] => collection(
            "JsonSchemaFileCollection",
            "Schemas",
            ["/redfish/v1/JsonSchemas/ServiceRoot".into()],
        ),
        ["JsonSchemas", "ServiceRoot"] => json!({
            "@odata.type": "#JsonSchemaFile.v1_1_4.JsonSchemaFile",
            "Id": "ServiceRoot", "Name": "ServiceRoot Schema File", "Schema": "#ServiceRoot.ServiceRoot",
            "Languages": ["en"],
            "Location": [{
                "Language": "en",
                "PublicationUri": "http://redfish.dmtf.org/schemas/v1/ServiceRoot.v1_17_0.json",
            }],
        }),
        _ => return None,
    })
}

fn firmware(bmc: Bmc) -> Vec<(&'static str, &'static str, &'static str)> {
    match bmc {
        Bmc::Server(_) => vec![("BMC", "BMC Firmware", "1.0.0"), ("BIOS", "System Firmware", "E1.0.0")],
        Bmc::Pdu(_) => vec![("BMC", "PDU Firmware", "1.0.0")],
    }
}

fn root(rack: &Emulated, bmc: Bmc) -> Value {
    let mut root = json!({
        "@odata.type": "#ServiceRoot.v1_17_0.ServiceRoot",
        "Id": "RootService", "Name": "Root Service", "RedfishVersion": "1.20.0",
        "UUID": rack.core(bmc).uuid.to_string(), "Vendor": "Busbar", "Product": "Emulated BMC",
        "ProtocolFeaturesSupported": {
            "ExpandQuery": {"ExpandAll": true, "Levels": true, "MaxLevels": super::LEVELS, "Links": true, "NoLinks": true},
            "SelectQuery": true, "FilterQuery": false, "OnlyMemberQuery": false, "ExcerptQuery": false,
            "TopSkipQuery": true,
            "DeepOperations": {"DeepPATCH": false, "DeepPOST": false},
        },
        "Links": {"Sessions": at("/redfish/v1/SessionService/Sessions")},
    });
    let services = [
        "Managers",
        "SessionService",
        "AccountService",
        "EventService",
        "UpdateService",
        "Registries",
        "JsonSchemas",
    ];
    for service in services {
        root[service] = at(format!("/redfish/v1/{service}"));
    }
    root["Tasks"] = at("/redfish/v1/TaskService");
    match bmc {
        Bmc::Server(_) => {
            root["Systems"] = at("/redfish/v1/Systems");
            root["Chassis"] = at("/redfish/v1/Chassis");
        }
        Bmc::Pdu(_) => root["PowerEquipment"] = at("/redfish/v1/PowerEquipment"),
    }
    root
}
