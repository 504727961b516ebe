#include "fs/tmpfs/dir_table.h"

#include "kernel/base/check.h"

namespace runsc::fs {

DirTable::~DirTable() { CHECK(by_name_.empty(), "a directory table dies with entries"); }

DirEntry* DirTable::find(std::string_view name) {
  auto it = by_name_.find(name);
  return it == by_name_.end() ? nullptr : &*it;
}

DirEntry* DirTable::first_from(uint64_t sequence) {
  auto it = by_order_.lower_bound(sequence);
  return it == by_order_.end() ? nullptr : &*it;
}

void DirTable::insert(Unique<DirEntry> entry) {
  DirEntry* e = entry.release();
  e->sequence = next_++;
  by_name_.insert(*e);
  by_order_.insert(by_order_.end(), *e);
}

Unique<DirEntry> DirTable::remove(DirEntry& entry) {
  by_name_.erase(by_name_.iterator_to(entry));
  by_order_.erase(by_order_.iterator_to(entry));
  return Unique<DirEntry>(&entry);
}

void DirTable::renew(DirEntry& entry) {
  by_order_.erase(by_order_.iterator_to(entry));
  entry.sequence = next_++;
  by_order_.insert(by_order_.end(), entry);
}

}  // namespace runsc::fs
