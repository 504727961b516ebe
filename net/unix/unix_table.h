// UnixTable: the AF_UNIX sockets of a network namespace: abstract names, and all of them for /proc/net/unix.
#pragma once

#include <boost/intrusive/list.hpp>
#include <boost/intrusive/set.hpp>

#include "kernel/base/format.h"
#include "kernel/base/lock.h"
#include "kernel/base/ref.h"
#include "kernel/base/vec.h"
#include "net/types.h"

namespace runsc::net {

class UnixEndpoint;
class UnixName;

struct UnixAllTag;
struct UnixNameTag;
using UnixAllHook = boost::intrusive::list_base_hook<boost::intrusive::tag<UnixAllTag>>;
using UnixNameHook = boost::intrusive::set_base_hook<boost::intrusive::tag<UnixNameTag>>;

// What stands in both lists: the part of UnixEndpoint that the table knows.
class UnixTableEntry : public UnixAllHook, public UnixNameHook {
 public:
  // The abstract name under which it is listed; the table's, and const while listed.
  const UnixName* listed_name = nullptr;
  virtual int listed_type() const = 0;
  virtual UnixEndpoint& listed_endpoint() = 0;

 protected:
  ~UnixTableEntry() = default;
};

class UnixTable {
 public:
  void add(UnixTableEntry& entry);
  void remove(UnixTableEntry& entry);  // and its name
  // EADDRINUSE: another socket of the type has the name. On success the entry is listed under it; `publish`
  // runs under the table's lock.
  template <class Publish>
  Result<void> add_name(UnixTableEntry& entry, const UnixName& name, Publish&& publish) {
    LockGuard guard(lock_);
    TRY(insert_locked(entry, name));
    publish();
    return {};
  }
  // Null: nobody.
  Ref<UnixEndpoint> find(int type, const UnixName& name);
  // All there are. ENOMEM.
  Result<void> list(Vec<Ref<UnixEndpoint>>& out);
  // The rows of /proc/net/unix, without the head. ENOMEM.
  Result<void> describe(TextSink& out);

 private:
  struct Less {
    bool operator()(const UnixTableEntry& a, const UnixTableEntry& b) const;
  };
  using All = boost::intrusive::list<UnixTableEntry, boost::intrusive::base_hook<UnixAllHook>,
                                     boost::intrusive::constant_time_size<true>>;
  using Names =
      boost::intrusive::set<UnixTableEntry, boost::intrusive::base_hook<UnixNameHook>,
                            boost::intrusive::compare<Less>, boost::intrusive::constant_time_size<false>>;
  Result<void> insert_locked(UnixTableEntry& entry, const UnixName& name) REQUIRES(lock_);

  SpinLock lock_{LockRank::socket_table};
  All all_ GUARDED_BY(lock_);
  Names names_ GUARDED_BY(lock_);
};

}  // namespace runsc::net
