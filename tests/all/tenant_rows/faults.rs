//! What goes wrong around rows: databases and API servers that fail, and runs that are killed.

use super::{FORMS, TABLE, Tenants};
use crate::support::Place;
use crate::support::databases::{Database, Engine, PASSWORD, Server};

#[test]
fn a_database_that_is_stopped_or_broken_deletes_nothing() {
    for engine in [Engine::MariaDb, Engine::PostgreSql] {
        println!("{engine:?}");
        let server: &'static Server = Box::leak(Box::new(Server::own(engine)));
        let place = Place::new();
        let database = Database::on(server);
        database.execute(TABLE);
        let hub = database.hub("tenants", "", "plan: plan, seats: seats");
        place.sandbox.write("crm/hub.yaml", hub);
        place.sandbox.write("crm/forms.yaml", FORMS);
        let tenants = Tenants { place, database };
        tenants.insert(&[("acme", "free"), ("bolt", "big")]);
        tenants.run(&["apply"]).succeeds();
        let (all, before) = (tenants.maps(), tenants.writes());
        // A column that a form needs is gone.
        tenants
            .database
            .execute("ALTER TABLE tenants RENAME COLUMN plan TO price");
        tenants
            .run(&["apply", "--yes", "--max-delete", "100%"])
            .fails(5, "E0704");
        tenants
            .database
            .execute("ALTER TABLE tenants RENAME TO customers");
        tenants
            .run(&["apply", "--yes", "--max-delete", "100%"])
            .fails(5, "E0703");
        crate::support::server::signal(server.pid(), "KILL");
        let run = tenants.run(&["apply", "--yes", "--max-delete", "100%"]);
        assert!(run.code != Some(0) && run.stderr.contains("E07"), "{run}");
        assert!(!run.stderr.contains(PASSWORD), "{run}");
        let plan = tenants.run(&["plan"]);
        assert_eq!(plan.code, Some(8), "{plan}");
        assert_eq!((tenants.maps(), tenants.writes()), (all, before));
    }
}
