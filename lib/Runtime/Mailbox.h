//===- Mailbox.h - messages between threads ---------------------*- C++ -*-===//
#ifndef DOUGONG_LIB_RUNTIME_MAILBOX_H
#define DOUGONG_LIB_RUNTIME_MAILBOX_H

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>

namespace dougong {

/// A message that its sender still owns: the receiver copies from `data`.
struct Message {
  int source;
  int tag;
  const void *data;
  std::size_t bytes;
  bool done = false; ///< copied; guarded by the mailbox's mutex
};

/// The messages to one rank. `changed` is for the receiver (a message came) and
/// the senders (a message was copied).
struct Mailbox {
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::shared_ptr<Message>> messages;

  void post(std::shared_ptr<Message> message) {
    std::lock_guard lock(mutex);
    messages.push_back(std::move(message));
    changed.notify_all();
  }
  /// The first message that fits, or null. The mutex is held.
  std::shared_ptr<Message> take(int source, int tag) {
    for (auto it = messages.begin(); it != messages.end(); ++it)
      if ((*it)->source == source && (*it)->tag == tag) {
        std::shared_ptr<Message> message = std::move(*it);
        messages.erase(it);
        return message;
      }
    return nullptr;
  }
  void finish(Message &message) {
    std::lock_guard lock(mutex);
    message.done = true;
    changed.notify_all();
  }
  /// Takes a message back after a failure: it is gone, or copied, on return.
  void withdraw(const std::shared_ptr<Message> &message) {
    std::unique_lock lock(mutex);
    for (auto it = messages.begin(); it != messages.end(); ++it)
      if (*it == message) {
        messages.erase(it);
        return;
      }
    changed.wait(lock, [&] { return message->done; });
  }
};

} // namespace dougong

#endif // DOUGONG_LIB_RUNTIME_MAILBOX_H
