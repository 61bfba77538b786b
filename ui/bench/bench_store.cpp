// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/bench/bench_store.h"

#include "engine/base/atomic_file.h"
#include "engine/base/error.h"
#include "engine/base/json_text.h"
#include "engine/base/posix_file.h"
#include "engine/run/bench_rows.h"
#include "ui/controls/table_tools.h"
#include "ui/format.h"

#include <QCoreApplication>
#include <QDateTime>

#include <algorithm>
#include <fcntl.h>
#include <fstream>
#include <iterator>

namespace pha::ui {

namespace {

QString tr(const char* text) { return QCoreApplication::translate("pha::ui::BenchStore", text); }

Json toJson(const Measurement& m)
{
    Json json { { "when", m.when.toStdString() }, { "machine", m.machine.toStdString() }, { "disturbed", m.disturbed },
        { "rows", Json::array() } };
    for (const auto& row : m.rows) json["rows"].push_back(benchRowToJson(row));
    return json;
}

/// Throws nlohmann's exceptions for what is no measurement.
Measurement fromJson(const Json& json)
{
    Measurement m;
    m.when = fromUtf8(json.at("when").get<std::string>());
    m.machine = fromUtf8(json.at("machine").get<std::string>());
    m.disturbed = json.at("disturbed").get<bool>();
    for (const auto& row : json.at("rows"))
        if (auto read = benchRowFromJson(row)) m.rows.push_back(std::move(*read));
    return m;
}

} // namespace

QString Measurement::title() const
{
    const auto local = QDateTime::fromString(when, Qt::ISODate).toLocalTime();
    const auto time = local.isValid() ? local.toString(QStringLiteral("yyyy-MM-dd HH:mm")) : when;
    const auto mode = rows.empty() ? QString() : fromUtf8(rows.front().mode);
    const auto count = rows.size() == 1 ? tr("1 row") : tr("%1 rows").arg(rows.size());
    return QStringLiteral("%1 \u00b7 %2 \u00b7 %3").arg(mode, time, count); // the mode tells them apart
}

QString Measurement::csv() const
{
    QStringList head;
    const auto names = benchRowToJson(BenchRow {});
    for (const auto& [key, value] : names.items()) head << fromUtf8(key);
    auto out = csvLine(head);
    for (const auto& row : rows) {
        QStringList cells;
        const auto json = benchRowToJson(row);
        for (const auto& [key, value] : json.items())
            cells << (value.is_string() ? fromUtf8(value.get<std::string>()) : fromUtf8(value.dump()));
        out += csvLine(cells);
    }
    return out;
}

QString BenchStore::load()
{
    unwritten_.clear();
    return read();
}

QString BenchStore::read()
{
    all_ = unwritten_;
    std::ifstream in(file_, std::ios::binary);
    if (!in) return {}; // nothing was measured yet
    const std::string text { std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>() };
    try {
        const auto document = parseJsonStrict(text, file_.string());
        for (const auto& entry : document.at("measurements")) all_.push_back(fromJson(entry));
    } catch (const std::exception&) {
        all_ = unwritten_;
        auto aside = file_;
        aside += ".damaged";
        std::error_code failed;
        fs::rename(file_, aside, failed);
        return tr("%1 could not be read and was moved to %2.").arg(fromPath(file_), fromPath(aside));
    }
    return {};
}

QString BenchStore::add(const Measurement& measurement)
{
    for (auto* list : { &unwritten_, &all_ }) list->insert(list->begin(), measurement);
    return change([&] {
        if (all_.size() > most) all_.resize(most);
    });
}

QString BenchStore::remove(int index)
{
    if (index < 0 || index >= int(all_.size())) return {};
    const auto gone = toJson(all_[std::size_t(index)]).dump();
    const auto erase = [&](std::vector<Measurement>& list) {
        const auto found =
            std::find_if(list.begin(), list.end(), [&](const auto& m) { return toJson(m).dump() == gone; });
        if (found != list.end()) list.erase(found);
    };
    for (auto* list : { &unwritten_, &all_ }) erase(*list);
    return change([&] { erase(all_); });
}

QString BenchStore::change(const std::function<void()>& edit)
{
    QString word;
    try {
        fs::create_directories(file_.parent_path());
        const PosixFile lock(file_.parent_path() / ".benchmarks.lock", O_RDWR | O_CREAT | O_NOFOLLOW);
        lock.requireRegular();
        if (!lock.lockSoon())
            throw Error(file_.string() + ": another window has been writing it for a while", "try again");
        word = read();
        edit();
        write();
        unwritten_.clear();
    } catch (const std::exception& error) {
        return errorLine(error);
    }
    return word;
}

void BenchStore::write() const
{
    Json json { { "schema", 1 }, { "measurements", Json::array() } };
    for (const auto& measurement : all_) json["measurements"].push_back(toJson(measurement));
    writeFileAtomically(file_, json.dump(1) + "\n");
}

} // namespace pha::ui
