//! The language of `--where`, against people's slips and anything at all.

use proptest::prelude::*;

use super::*;

fn look(name: &str) -> Option<Field> {
    Some(match name {
        "health" => Field::Text("warning".into()),
        "maker" => Field::Text("Dell Inc.".into()),
        "gpu" => Field::Number(4.0),
        "memory" => Field::Size(256 << 30),
        "armed" => Field::Flag(true),
        "firmware.bmc" => Field::Text("6.9".into()),
        "mac" => Field::Many(vec![Field::Text("02:00".into()), Field::Text("04:00".into())]),
        _ => return None,
    })
}

#[test]
fn boxes_are_meant_as_written() {
    for (text, meant) in [
        ("health!=ok", true),
        ("gpu>=4", true),
        ("gpu > 4", false),
        ("maker~dell", true),
        ("maker=dell", false),
        ("memory>=256G", true),
        ("memory>256GiB", false),
        ("firmware.bmc<6.10", true),
        ("firmware.bmc >= 6.10", false),
        ("mac=04:00", true),
        ("armed", true),
        ("not armed", false),
        ("!armed or gpu=4", true),
        ("health=ok and gpu=4 or maker~dell", true),
        ("health=ok and (gpu=4 or maker~dell)", false),
        ("maker = \"Dell Inc.\"", true),
        ("nothing=1", false),
        ("nothing!=1", true),
        ("nothing", false),
        ("GPU=4,HEALTH=Warning", true),
    ] {
        let expr = parse(text).unwrap_or_else(|m| panic!("{text}: {m}"));
        assert_eq!(expr.matches(&look), meant, "{text}");
    }
}

#[test]
fn a_mistake_is_told_with_its_column() {
    for (text, column, why) in [
        ("", 1, "a field is expected"),
        ("health=", 8, "a value is expected"),
        ("health=ok gpu>4", 11, "no `and` or `or`"),
        ("(health=ok", 11, "of column 1 is not closed"),
        ("health=ok)", 10, "never opened"),
        ("maker='dell", 12, "quote of column 7"),
        ("and gpu=1", 1, "joins two"),
        ("gpu=1 and", 10, "a field is expected"),
        ("gpu=>1", 5, "a value is expected"),
    ] {
        let mistake = parse(text).expect_err(text);
        assert!(
            mistake.column == column && mistake.what.contains(why),
            "{text}: {mistake}"
        );
    }
    assert!(parse(&"(".repeat(100_000)).is_err() && parse(&"!".repeat(3000)).is_err());
}

#[test]
fn a_field_that_no_box_can_have_is_refused_with_the_nearest() {
    let of = |text: &str| fields::check(&parse(text).expect("parses"), &["inlet".into()]).map_err(|m| m.to_string());
    assert_eq!(
        of("gpu>1 and heatlh=ok").unwrap_err(),
        "column 11: there is no field `heatlh`; did you mean `health`?"
    );
    assert_eq!(
        of("memory>lots").unwrap_err(),
        "column 1: `memory` is compared with a size: 256G, not with `lots`"
    );
    assert!(of("gpu>many").is_err() && of("armed=perhaps").is_err());
    assert_eq!(of("inlet>30 and firmware.whatever<2"), Ok(()));
}

proptest! {
    #[test]
    fn any_text_is_an_expression_or_a_mistake_within_it(text in ".{0,200}") {
        match parse(&text) {
            Ok(expr) => { expr.matches(&look); }
            Err(m) => prop_assert!(m.column <= text.chars().count() + 1),
        }
    }

    #[test]
    fn any_sentence_of_signs_is_survived(words in proptest::collection::vec("(and|or|not|\\(|\\)|!|=|~|<|gpu|256G|'| )", 0..60)) {
        let _ = parse(&words.concat()).map(|e| e.matches(&look));
    }

    #[test]
    fn versions_are_ordered(a in "[0-9a.]{0,8}", b in "[0-9a.]{0,8}", c in "[0-9a.]{0,8}") {
        prop_assert_eq!(versions(&a, &b), versions(&b, &a).reverse());
        if versions(&a, &b).is_le() && versions(&b, &c).is_le() {
            prop_assert!(versions(&a, &c).is_le());
        }
    }
}
