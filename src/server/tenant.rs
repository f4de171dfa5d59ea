//! Endpoints of `tenant`.

use super::Routes;
use crate::{
    api::tenant::{
        LintTenants, ListHubs, ReadManifests, ReadTenants, RenderRows, TestConnections, ViewTenant,
        WatchTenants,
    },
    service::{Services, deploy, tenant},
};

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .on(|services: Services, request: ListHubs| async move {
            deploy::hubs(&services, request).await
        })
        .on(|services: Services, request: ReadTenants| async move {
            tenant::status::status(&services, request).await
        })
        .on(|services: Services, request: ViewTenant| async move {
            tenant::status::view(&services, request).await
        })
        .on(|services: Services, request: ReadManifests| async move {
            tenant::manifests::manifests(&services, request).await
        })
        .on(|services: Services, request: RenderRows| async move {
            Ok(tenant::render(&services, request))
        })
        .on(|services: Services, request: LintTenants| async move {
            Ok(tenant::lint::start(&services, request))
        })
        .on(|services: Services, request: TestConnections| async move {
            tenant::test_connections(&services, request).await
        })
        .streaming(|services: Services, request: WatchTenants| async move {
            tenant::watch::watch(&services, request).await
        })
}
