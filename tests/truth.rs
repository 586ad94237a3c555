//! What a rack should be, from a shell: written down, compared, imported and exported, on an emulated rack.

#![allow(clippy::unwrap_used)]

mod common;

use common::Rack;

#[test]
fn a_rack_is_written_down_compared_and_read_back_from_its_own_table() {
    let rack = Rack::start(2, 50.0);
    let fresh = rack.busbar("fsck r1").ok();
    assert!(fresh.out.contains("5 boxes, nothing differs"), "{fresh:?}");
    // where its boxes stand and what feeds them was written down at the first start; what they are, is only seen
    let made = rack.busbar("import seen --rack r1").ok();
    assert!(
        made.out.contains("~ u1 serial: — → EMU") && made.out.contains("~ pdu-a model: — → Emulated PDU"),
        "{made:?}"
    );
    let clean = rack.busbar("fsck").ok();
    assert!(clean.out.contains("nothing differs"), "{clean:?}");

    let table = rack.busbar("export csv --rack r1").ok().out;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("r1.csv");
    let import = |text: &str| {
        std::fs::write(&file, text).unwrap();
        rack.with(&["import", "csv", file.to_str().unwrap(), "--rack", "r1"])
    };
    let again = import(&table);
    assert!(again.code == 0 && again.out.contains("0 changes"), "{again:?}");

    // More memory than there is, another serial, a box that is not there.
    let wanted = table.replacen("256G", "512G", 1).replacen("EMU", "GONE", 1) + "r1,u40,,40\n";
    let changed = import(&wanted);
    assert!(changed.code == 0 && changed.out.contains("+ u40 server"), "{changed:?}");
    let found = rack.busbar("fsck --json");
    assert_eq!(found.code, 1, "{found:?}");
    let report = found.json();
    let kinds: Vec<&str> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["kind"].as_str().unwrap())
        .collect();
    for kind in ["identity", "bill", "missing"] {
        assert!(kinds.contains(&kind), "{kinds:?}");
    }
    assert!(
        report["findings"]
            .as_array()
            .unwrap()
            .iter()
            .all(|f| !f["since"].is_null() && f["next"] != "")
    );
    rack.busbar("fsck r1 --live");
    let told = rack.busbar("dmesg").ok().out;
    let drift = |text: &str| {
        told.lines()
            .filter(|l| l.contains("not as it should be") && l.contains(text))
            .count()
    };
    assert_eq!(
        (drift("256G of memory, not 512G"), drift("no box answers here")),
        (1, 1),
        "{told}"
    );

    let bad = import("slot,unit\nu1,one\n");
    assert!(
        bad.code == 2 && bad.err.contains("\n  line 2, column 2 (unit): `one` is not a number"),
        "{bad:?}"
    );
    assert_eq!(rack.busbar("import csv /nowhere --rack r1").code, 2);
    assert_eq!(rack.busbar("fsck r7").code, 3);
    let file = rack.busbar("export rackfile --rack r1").ok().out;
    assert!(file.contains("[[bmc]]") && file.contains("slot = \"u1\""), "{file}");
}

#[test]
fn boxes_are_listed_by_what_they_are_and_every_value_is_reached() {
    let rack = Rack::start(2, 50.0);
    let places = |expr: &str| {
        let all = rack.with(&["ls", "--json", "--where", expr]).ok().json();
        let mut all: Vec<String> = all
            .as_array()
            .unwrap()
            .iter()
            .map(|n| n["place"].as_str().unwrap().into())
            .collect();
        all.sort();
        all.join(" ")
    };
    assert_eq!(places("gpu>=4"), "r1/u3");
    assert_eq!(places("kind=pdu"), "r1/pdu-a r1/pdu-b");
    assert_eq!(places("memory>=256G and not gpu and slot!=u1"), "r1/u2");
    assert_eq!(places("state=free and health=ok and maker~busbar"), "r1/u1 r1/u2 r1/u3");
    let slip = rack.with(&["ls", "--where", "gpu>1 and heatlh=ok"]);
    assert!(
        slip.code == 2
            && slip
                .err
                .contains("column 11: there is no field `heatlh`; did you mean `health`?"),
        "{slip:?}"
    );
    assert!(slip.err.contains("\n            ^"), "{slip:?}");

    for path in [
        "r1/u1/serial",
        "r1/u1/disk0/size",
        "r1/u1/dimm1/size",
        "r1/pdu-a/outlet1/power",
        "r1/pdu-a/watts",
        "r1/u1/psu1",
    ] {
        rack.busbar(&format!("cat {path}")).ok();
    }
    let slip = rack.busbar("cat r1/u1/serail");
    assert!(
        slip.code == 3 && slip.err.contains("did you mean r1/u1/serial?"),
        "{slip:?}"
    );
    let slip = rack.busbar("cat r1/u11/watts");
    assert_eq!(slip.code, 3);
    // it is found before it is read for the first time
    rack.until("its readings are in the tree", || {
        let tree = rack.busbar("tree r1/u1").ok().out;
        assert!(tree.contains("disk0"), "{tree}");
        tree.contains("watts")
    });
    assert!(rack.busbar("tree r1/pdu-a").ok().out.contains("outlet1"));
}
