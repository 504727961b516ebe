// DirTable: the names of one directory in memory, by name and in order of making. Not locked.
#pragma once

#include <boost/intrusive/set.hpp>

#include "kernel/base/alloc.h"
#include "kernel/base/string.h"

namespace runsc::fs {

class TmpfsInode;

struct DirEntry : HeapObject {
  enum class Kind : uint8_t {
    strong,    // `node` is counted here: it exists nowhere else
    weak,      // `node` shows an object of the lower layer and is kept by its users alone
    whiteout,  // hides a name of the lower layer
  };
  String name;
  TmpfsInode* node = nullptr;
  Kind kind = Kind::strong;
  bool in_lower = false;  // the lower layer has this name, too
  uint64_t sequence = 0;
  boost::intrusive::set_member_hook<> name_hook, order_hook;
};

class DirTable {
 public:
  DirTable() = default;
  DirTable(const DirTable&) = delete;
  DirTable& operator=(const DirTable&) = delete;
  ~DirTable();  // empty

  DirEntry* find(std::string_view name);
  DirEntry* first_from(uint64_t sequence);  // in order of making
  void insert(Unique<DirEntry> entry);      // gets the next sequence number
  Unique<DirEntry> remove(DirEntry& entry);
  // An entry that becomes a new name (whiteout -> file) moves to the end of the order.
  void renew(DirEntry& entry);
  bool empty() const { return by_name_.empty(); }

 private:
  struct ByName {
    using type = std::string_view;
    type operator()(const DirEntry& e) const { return e.name.view(); }
  };
  struct BySequence {
    using type = uint64_t;
    type operator()(const DirEntry& e) const { return e.sequence; }
  };
  template <class Hook, class Key>
  using Set = boost::intrusive::set<DirEntry, Hook, boost::intrusive::key_of_value<Key>,
                                    boost::intrusive::constant_time_size<false>>;
  Set<boost::intrusive::member_hook<DirEntry, boost::intrusive::set_member_hook<>, &DirEntry::name_hook>,
      ByName>
      by_name_;
  Set<boost::intrusive::member_hook<DirEntry, boost::intrusive::set_member_hook<>, &DirEntry::order_hook>,
      BySequence>
      by_order_;
  uint64_t next_ = 1;
};

}  // namespace runsc::fs
