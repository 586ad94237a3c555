//! What a machine is told by the metadata service, for people: `GET /v1/machines/{name}/metadata`.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Name;

/// What a machine would be told now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MetadataView {
    /// The machine.
    pub machine: Name,
    /// The address that it is known by: whoever asks from another is told nothing.
    #[schema(value_type = Option<String>)]
    pub address: Option<IpAddr>,
    /// Why nothing is told now, when nothing is.
    pub silent: Option<String>,
    /// What can be read, by path, in the order of the service's own listings.
    pub files: Vec<MetadataFile>,
}

/// One document of the service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MetadataFile {
    /// Path on the service: `/latest/meta-data/hostname`, `/nocloud/user-data`.
    pub path: String,
    /// What is answered; nothing when it is told to the machine alone.
    pub text: Option<String>,
    /// Why it is not shown, when it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withheld: Option<String>,
}
