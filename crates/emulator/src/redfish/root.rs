//! The service root, and the services that stand beside the hardware.

use serde_json::{Value, json};

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
        ["AccountService", rest @ ..] => return super::accounts::get(rack, bmc, rest),
        ["EventService", rest @ ..] => return super::events::get(rack, bmc, rest),
        ["UpdateService", rest @ ..] => return super::update::get(rack, bmc, rest),
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
        ["TaskService", "Tasks", id] => return super::update::task(rack, bmc, id),
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

fn root(rack: &Emulated, bmc: Bmc) -> Value {
    let mut root = json!({
        "@odata.type": "#ServiceRoot.v1_17_0.ServiceRoot",
        "Id": "RootService", "Name": "Root Service", "RedfishVersion": "1.20.0",
        "UUID": rack.core(bmc).uuid.to_string(), "Vendor": "Busbar", "Product": "Emulated BMC",
        "ProtocolFeaturesSupported": {
            "ExpandQuery": {"ExpandAll": true, "Levels": true, "MaxLevels": crate::query::LEVELS, "Links": true, "NoLinks": true},
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
        Bmc::Equipment(i) => {
            for service in super::equipment::services(rack, i) {
                root[service] = at(format!("/redfish/v1/{service}"));
            }
        }
    }
    root
}
