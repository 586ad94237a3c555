//! What can't be is refused, and what comes with Busbar can be.
#![allow(clippy::unwrap_used)]
use super::*;
use crate::describe::RACKS;
use crate::physics::load::Trace;
use crate::physics::{Quantity, Readings};

#[test]
fn every_rack_that_comes_with_it_can_be_and_runs_cool_at_full_load() {
    for (name, text) in RACKS {
        let described = read(text).unwrap_or_else(|e| panic!("{name}: {e}"));
        let mut made = described.plant();
        for it in &made.boxes {
            made.plant.set_on(*it, true);
            made.plant.set_load(*it, Trace::Constant(1.0));
        }
        let start = made.plant.account();
        made.plant.advance(3600.0);
        let now = made.plant.account();
        let off = now.came - now.went - (now.stored - start.stored);
        assert!((off / now.came).abs() < 1e-6, "{name}: {off} J of {} J", now.came);
        for (it, b) in made.boxes.iter().zip(&described.boxes) {
            let work = made.plant.read(*it, Quantity::WorkPercent).unwrap();
            assert!(work > 99.0, "{name} {}: does {work} % at full load", b.place);
        }
        let events: Vec<_> = made.plant.events();
        let bad = events.iter().find(|e| {
            matches!(
                e.what,
                crate::physics::Happened::Gear(_) | crate::physics::Happened::TooHot
            )
        });
        assert!(bad.is_none(), "{name}: {bad:?}");
    }
}

#[test]
fn what_cannot_be_is_refused_with_its_line_and_what_would_fit() {
    let base = "[[feed]]\nname = \"f\"\namps = 16\nphases = 1\n[[pdu]]\nname = \"p\"\nfeed = \"f\"\noutlets = 4\n";
    let with = |more: &str| read(&format!("{base}{more}")).map(|_| ()).unwrap_err();
    let cases = [
        // from line 9 on
        ("[[box]]\nslot = \"u1\"\nkind = \"toaster\"", 11, "there are server-2s"),
        (
            "[[box]]\nslot = \"u1\"\nkind = \"n100\"\ncords = [\"p/5\"]",
            12,
            "outlets 1 to 4, not 5",
        ),
        (
            "[[box]]\nslot = \"u1\"\nkind = \"n100\"\ncords = [\"q/1\"]",
            12,
            "there is no PDU `q`; there are p",
        ),
        (
            "[[box]]\nslot = \"u1\"\ncount = 2\nkind = \"n100\"\n[[box]]\nslot = \"u2\"\nkind = \"n100\"",
            14,
            "u2 is taken by the box of line 10; free: u3-u42",
        ),
        (
            "[[box]]\nslot = \"u43\"\nkind = \"n100\"",
            10,
            "not in a rack of 42 units; free: u1-u42",
        ),
        (
            "[[box]]\nslot = \"u1\"\nkind = \"server-8gpu\"\ncords = [\"p/1\"]",
            3,
            "draws up to",
        ),
        (
            "[[box]]\nslot = \"u1\"\nkind = \"n100\"\ncords = [\"p/1\"]\n[[box]]\nslot = \"u2\"\nkind = \"n100\"\ncords = [\"p/1\"]",
            16,
            "taken by the box of line 10; free: 2, 3, 4",
        ),
        (
            "[[box]]\nslot = \"u1\"\nkind = \"n100\"\ncolour = \"red\"",
            12,
            "unknown field `colour`",
        ),
        ("[[box]]\nslot = \"u1\"\nkind = \"gb200-compute\"", 11, "needs a loop"),
        (
            "[[box]]\nslot = \"u1\"\nkind = \"n100\"\nload = 1.5",
            12,
            "0 to 1, not 1.5",
        ),
        (
            "[[box]]\nslot = \"u1\"\nkind = \"n100\"\ncords = [\"p/1\", \"p/2\"]",
            12,
            "1 power inlets",
        ),
        (
            "[[pdu]]\nname = \"p\"\nfeed = \"g\"\noutlets = 4",
            10,
            "there already, on line 6",
        ),
    ];
    for (more, line, why) in cases {
        let bad = with(more);
        let found = bad.0.iter().any(|m| m.line == line && m.why.contains(why));
        assert!(found, "{more}: {bad}");
    }
    assert_eq!(
        with("[[pdu]]\nname = \"x\"\nfeed = \"g\"\noutlets = 0\n").0.len(),
        2,
        "all that is wrong is told"
    );
    assert!(read("[[box]\n").unwrap_err().0[0].line == 1);
}
