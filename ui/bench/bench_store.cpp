// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/bench/bench_store.h"

#include "engine/base/error.h"
#include "engine/base/json_text.h"
#include "engine/run/atomic_file.h"
#include "engine/run/bench_rows.h"
#include "ui/format.h"
#include "ui/panels/table_tools.h"

#include <QCoreApplication>
#include <QDateTime>

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
    all_.clear();
    std::ifstream in(file_, std::ios::binary);
    if (!in) return {}; // nothing was measured yet
    const std::string text { std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>() };
    try {
        const auto document = parseJsonStrict(text, file_.string());
        for (const auto& entry : document.at("measurements")) all_.push_back(fromJson(entry));
    } catch (const std::exception&) {
        all_.clear();
        auto aside = file_;
        aside += ".damaged";
        std::error_code failed;
        fs::rename(file_, aside, failed);
        return tr("%1 could not be read and was moved to %2.").arg(fromPath(file_), fromPath(aside));
    }
    return {};
}

QString BenchStore::add(Measurement measurement)
{
    all_.insert(all_.begin(), std::move(measurement));
    if (all_.size() > most) all_.resize(most);
    return write();
}

QString BenchStore::remove(int index)
{
    if (index < 0 || index >= int(all_.size())) return {};
    all_.erase(all_.begin() + index);
    return write();
}

QString BenchStore::write() const
{
    Json json { { "schema", 1 }, { "measurements", Json::array() } };
    for (const auto& measurement : all_) json["measurements"].push_back(toJson(measurement));
    try {
        fs::create_directories(file_.parent_path());
        writeFileAtomically(file_, json.dump(1) + "\n");
    } catch (const std::exception& error) {
        return singleLine(fromUtf8(error.what()));
    }
    return {};
}

} // namespace pha::ui
