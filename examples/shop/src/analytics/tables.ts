/**
 * The read models of analytics: plain tables, made by migrations, filled by statements that ride in the commit of the
 * event they count. In words that SQLite and PostgreSQL both know.
 */
export const migrations: Readonly<Record<string, string>> = {
  "1-books": `
    CREATE TABLE analytics_books (kind TEXT PRIMARY KEY, invoices INTEGER NOT NULL, lines INTEGER NOT NULL, pence BIGINT NOT NULL);
    CREATE TABLE analytics_countries (country TEXT PRIMARY KEY, pence BIGINT NOT NULL, since TEXT NOT NULL);
    CREATE TABLE analytics_customers (customer TEXT PRIMARY KEY, pence BIGINT NOT NULL, since TEXT NOT NULL);
    CREATE TABLE analytics_months (month TEXT PRIMARY KEY, pence BIGINT NOT NULL);
  `,
  "2-stages": `
    CREATE TABLE analytics_stages (stage TEXT PRIMARY KEY, orders INTEGER NOT NULL);
  `,
};
