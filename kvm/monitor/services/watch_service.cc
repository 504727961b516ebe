// Hostcalls about what is watched beneath donated directories.
#include "kvm/monitor/services/path_ops.h"
#include "kvm/monitor/services/services.h"

namespace runsc::monitor {

Result<void> serve_watch(Services& s, const hc::Watch::Request& request) {
  ValidWatch watch = TRY(parse_watch(request));
  ParentDirectory parent = TRY(ParentDirectory::open(s.files, watch.path));
  return s.watches.add(watch.number, parent.fd(), watch.path.name(), watch.mask);
}

Result<void> serve_unwatch(Services& s, const hc::Unwatch::Request& request) {
  s.watches.remove(request.watch);
  return {};
}

Result<void> serve_take_changes(Services& s, hc::TakeChanges::Reply& reply) {
  s.watches.take(reply);
  return {};
}

}  // namespace runsc::monitor
