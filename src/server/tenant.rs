//! Endpoints of `tenant`.

use super::Routes;
use crate::{
    api::tenant::{LintTenants, RenderRows, TestConnections},
    service::{Services, tenant},
};

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .on(|services: Services, request: RenderRows| async move {
            Ok(tenant::render(&services, request))
        })
        .on(|services: Services, request: LintTenants| async move {
            Ok(tenant::lint::start(&services, request))
        })
        .on(|services: Services, request: TestConnections| async move {
            tenant::test_connections(&services, request).await
        })
}
