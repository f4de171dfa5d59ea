//! A sandbox with a namespace of its own on a real API server.

use std::{
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

use serde_json::Value;

use super::{ApiServer, Run, Sandbox};

/// A sandbox with a namespace of its own.
pub struct Place {
    /// The sandbox.
    pub sandbox: Sandbox,
    /// The API server.
    pub server: &'static ApiServer,
    /// The namespace.
    pub namespace: String,
}

impl Place {
    /// One on the API server without nodes.
    pub fn new() -> Self {
        Self::on(ApiServer::shared())
    }

    /// One where workloads become ready.
    pub fn with_nodes() -> Self {
        Self::on(ApiServer::with_nodes())
    }

    /// One on a given API server.
    pub fn on(server: &'static ApiServer) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let namespace = format!("deploy-{number}");
        server.kubectl(&["create", "namespace", &namespace], "");
        Self {
            sandbox: Sandbox::new(),
            server,
            namespace,
        }
    }

    /// Writes `app.yaml`, a design of these objects.
    pub fn write(&self, objects: &[Value]) {
        let text = objects.iter().map(|object| format!("{object}\n"));
        self.sandbox
            .write("app.yaml", text.collect::<Vec<_>>().join("---\n"));
    }

    /// Runs a command about a deployed design.
    pub fn run(&self, arguments: &[&str]) -> Run {
        self.run_in(&self.sandbox, arguments)
    }

    /// The same from another machine.
    pub fn run_in(&self, sandbox: &Sandbox, arguments: &[&str]) -> Run {
        sandbox.finish(&mut self.command_in(sandbox, arguments), None)
    }

    /// The command, not started yet.
    pub fn command_in(&self, sandbox: &Sandbox, arguments: &[&str]) -> Command {
        let mut command = sandbox.command(["design"].iter().chain(arguments));
        command.args(["-n", &self.namespace, "--context", "sandbox"]);
        command.env("KUBECONFIG", &self.server.kubeconfig);
        command
    }

    /// Has kubectl do something in the namespace, with a text on standard input.
    pub fn change(&self, arguments: &[&str], stdin: &str) {
        let mut all = vec!["-n", self.namespace.as_str()];
        all.extend(arguments);
        self.server.kubectl(&all, stdin);
    }

    /// The objects of some kinds, as kubectl has them.
    pub fn kubectl(&self, arguments: &[&str]) -> Value {
        let mut all = vec!["-n", self.namespace.as_str()];
        all.extend(arguments);
        all.extend(["-o", "json"]);
        serde_json::from_str(&self.server.kubectl(&all, "")).expect("kubectl prints JSON")
    }

    /// The names of the objects of a kind.
    pub fn names(&self, kind: &str) -> Vec<String> {
        let list = self.kubectl(&["get", kind]);
        let items = list["items"].as_array().expect("a list").iter();
        let names = items.map(|item| {
            item["metadata"]["name"]
                .as_str()
                .expect("a name")
                .to_owned()
        });
        names.filter(|name| name != "kube-root-ca.crt").collect()
    }
}
