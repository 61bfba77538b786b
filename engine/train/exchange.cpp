// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/train/exchange.h"

#if PHA_HAS_CUDA
#include <torch/csrc/cuda/nccl.h>
#endif

#include <algorithm>
#include <cstring>

namespace pha {

bool Meeting::meet(bool yes, Others* others)
{
    std::unique_lock lock(mutex_);
    if (broken_) throw Left();
    yes_ = yes_ && yes;
    if (++here_ == members_) {
        answer_ = std::exchange(yes_, true);
        if (others) { // the last one here asks for all of them
            const bool mine = answer_;
            lock.unlock();
            const bool all = others->agree(mine);
            lock.lock();
            answer_ = all;
        }
        here_ = 0;
        ++round_;
        changed_.notify_all();
        return answer_; // nobody comes again before all have read it: a member is in one round at a time
    }
    const auto mine = round_;
    changed_.wait(lock, [&] { return round_ != mine || broken_; });
    if (round_ == mine) throw Left();
    return answer_;
}

void Meeting::breakUp()
{
    {
        const std::lock_guard lock(mutex_);
        if (broken_) return;
        broken_ = true;
    }
    changed_.notify_all();
    if (others_) others_->leave();
}

bool Meeting::broken()
{
    const std::lock_guard lock(mutex_);
    return broken_;
}

namespace {

class ProcessorExchange final : public Exchange {
public:
    ProcessorExchange(std::size_t members, const TeamPlace& place)
        : Exchange(members, place)
        , others_(place.others)
        , given_(members)
    {
    }
    /// Each member adds up every so many-th tensor for all here, the first one then asks the other computers.
    void sum(std::size_t member, const std::vector<Tensor>& tensors) override
    {
        const torch::NoGradGuard guard;
        given_[member] = &tensors;
        if (!meeting.agree()) throw Meeting::Left();
        for (auto i = member; i < tensors.size(); i += given_.size())
            for (std::size_t m = 1; m < given_.size(); ++m) given_[0]->at(i).add_(given_[m]->at(i));
        meeting.gather();
        if (others_ && member == 0) others_->sum(tensors);
        if (others_) meeting.gather();
        for (auto i = member; i < tensors.size(); i += given_.size())
            for (std::size_t m = 1; m < given_.size(); ++m) given_[m]->at(i).copy_(given_[0]->at(i));
        meeting.gather();
    }

private:
    Others* const others_;
    std::vector<const std::vector<Tensor>*> given_;
};

#if PHA_HAS_CUDA

namespace nccl = torch::cuda::nccl;

/// Communicators of cards 0 ... n-1 of this computer. LibTorch never destroys any, so those of a run that is over serve
/// the next.
using Communicators = std::vector<nccl::ncclComm_t>;
std::mutex idleMutex;
std::vector<Communicators> idle;

class CardExchange final : public Exchange {
public:
    CardExchange(std::size_t members, const TeamPlace& place)
        : Exchange(members, place)
        , first_(place.first)
        , all_(std::max(place.members, members))
        , communicators_(members)
    {
        if (place.others) {
            std::memcpy(&id_, place.meetingPoint.data(), std::min(sizeof id_, place.meetingPoint.size()));
            return;
        }
        const std::lock_guard lock(idleMutex);
        const auto known = std::find_if(idle.begin(), idle.end(), [&](const auto& c) { return c.size() == members; });
        if (known != idle.end()) {
            communicators_ = std::move(*known);
            idle.erase(known);
        } else {
            nccl::get_unique_id(id_);
        }
    }
    ~CardExchange() override
    {
        const bool whole = std::all_of(communicators_.begin(), communicators_.end(), [](const auto c) { return c; });
        if (!whole || meeting.broken() || all_ > communicators_.size()) return;
        const std::lock_guard lock(idleMutex);
        idle.push_back(std::move(communicators_));
    }
    /// On the current stream, so it can be captured. The members meet first: where one has failed, no card waits for
    /// another one that never comes.
    void sum(std::size_t member, const std::vector<Tensor>& tensors) override
    {
        const torch::NoGradGuard guard;
        if (!meeting.agree()) throw Meeting::Left();
        auto& mine = communicators_[member];
        if (!mine) mine = nccl::comm_init_rank(int(all_), id_, int(first_ + member));
        std::vector<Tensor> dense;
        for (const auto& t : tensors) dense.push_back(t.contiguous());
        {
            const nccl::AutoNcclGroup together; // one launch for all
            for (auto& t : dense) {
                std::vector<Tensor> out { t };
                nccl::all_reduce({ t }, out, int(nccl::ncclRedOp::Sum), {}, { mine });
            }
        }
        for (std::size_t i = 0; i < tensors.size(); ++i)
            if (!dense[i].is_same(tensors[i])) tensors[i].copy_(dense[i]);
    }

private:
    const std::size_t first_, all_;
    Communicators communicators_;
    nccl::ncclUniqueId id_ {};
};

#endif

} // namespace

std::unique_ptr<Exchange> Exchange::make(const std::vector<torch::Device>& devices, const TeamPlace& place)
{
#if PHA_HAS_CUDA
    if (devices.front().is_cuda()) return std::make_unique<CardExchange>(devices.size(), place);
#endif
    return std::make_unique<ProcessorExchange>(devices.size(), place);
}

std::string Exchange::meetingPoint(const torch::Device& device)
{
    std::string bytes;
#if PHA_HAS_CUDA
    if (device.is_cuda()) {
        nccl::ncclUniqueId id {};
        nccl::get_unique_id(id);
        bytes.assign(reinterpret_cast<const char*>(&id), sizeof id);
    }
#else
    (void)device;
#endif
    return bytes;
}

} // namespace pha
