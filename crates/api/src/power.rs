//! The one-line diagram of a rack, and what would come of a failure.

use axum::Json;
use axum::extract::{Path, State};
use control::House;
use control::power::FAILS;
use rack::Place;
use rack::power::{Forecast, OneLine};

use crate::auth::Reader;
use crate::extract::{Query, named};
use crate::problem::Problem;

/// The one-line diagram of a rack: its PDUs with what they carry and are rated for, the cords to its boxes, and the watts of
/// these; null where it is not known, which the notes say in words.
#[utoipa::path(get, path = "/v1/racks/{rack}/power", params(("rack" = String, Path)),
    responses((status = 200, body = OneLine), (status = "default", body = Problem)))]
pub async fn power(_: Reader, State(house): State<House>, Path(rack): Path<String>) -> Result<Json<OneLine>, Problem> {
    Ok(Json(house.one_line(&named(&rack)?)?))
}

/// What would come of it if these failed now, all at once: who dies, who goes on with less, what load moves where, and
/// whether that trips the next PDU. A PDU (`r1/pdu-a`), an outlet (`r1/pdu-a/3`), a box (`r1/u3`) or a supply
/// (`r1/u3/psu1`). Nothing is changed.
#[utoipa::path(get, path = "/v1/whatif",
    params(("fail" = Vec<String>, Query, description = "What fails; repeat it for several at once.")),
    responses((status = 200, body = Forecast), (status = "default", body = Problem)))]
pub async fn whatif(
    _: Reader,
    State(house): State<House>,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<Json<Forecast>, Problem> {
    Ok(Json(house.whatif(&fails(&query)?)?))
}

fn fails(query: &[(String, String)]) -> Result<Vec<Place>, Problem> {
    if let Some((other, _)) = query.iter().find(|(name, _)| name != "fail") {
        let shown: String = other.chars().filter(|c| !c.is_control()).take(40).collect();
        return Err(Problem::new(
            "BB0101",
            format!("`{shown}` is not asked for: fail=PLACE, once or more"),
        ));
    }
    if query.is_empty() || query.len() > FAILS {
        return Err(Problem::new(
            "BB0101",
            format!("fail=PLACE is wanted, once to {FAILS} times"),
        ));
    }
    let mut all: Vec<Place> = Vec::new();
    for (_, text) in query {
        let place = named(text)?;
        if !all.contains(&place) {
            all.push(place);
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_may_be_several_and_is_named() {
        let ask = |pairs: &[(&str, &str)]| {
            let query: Vec<_> = pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
            fails(&query).map(|all| all.len()).map_err(|p| p.detail)
        };
        assert_eq!(
            ask(&[("fail", "r1/pdu-a"), ("fail", "r1/u3/psu1"), ("fail", "r1/pdu-a")]),
            Ok(2)
        );
        assert!(ask(&[]).unwrap_err().contains("is wanted"));
        assert!(
            ask(&[("fail", "r1/pdu-a"), ("at", "3")])
                .unwrap_err()
                .starts_with("`at`")
        );
        assert!(ask(&[("fail", "r1//")]).unwrap_err().contains("write it like"));
        assert!(ask(&vec![("fail", "r1"); 65]).is_err());
    }
}
